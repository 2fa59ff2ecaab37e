//go:build race

package simulation

const (
	defaultSeeds  = 100
	replayedSeeds = 5
)
