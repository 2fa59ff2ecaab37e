//go:build race

package shuffle

// raceScale divides the size of tests that the race detector slows down most.
const raceScale = 4
