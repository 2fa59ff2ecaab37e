package executor

import (
	"log/slog"
	"sync"

	"github.com/bucketmill/bucketmill/executor/program/process"
)

// leftovers are folders of ended attempts that could not be removed, for example because the
// executor had too many files open. Every heartbeat tries again to remove them; at the latest they
// go with the scratch folder. No other attempt gets a folder of the same name.
type leftovers struct {
	log *slog.Logger

	mu      sync.Mutex
	folders map[string]bool // guarded by mu
}

// clear removes a folder, now or later. A failure does not matter to the attempt.
func (l *leftovers) clear(folder string) {
	err := process.RemoveScratch(folder)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		delete(l.folders, folder)
	case !l.folders[folder]:
		if l.folders == nil {
			l.folders = map[string]bool{}
		}
		l.folders[folder] = true
		l.log.Warn("removing a scratch folder failed, retrying with the next heartbeat", "folder", folder, "error", err)
	}
}

// clearAgain tries again to remove the folders that are left.
func (l *leftovers) clearAgain() {
	l.mu.Lock()
	var left []string
	for folder := range l.folders {
		left = append(left, folder)
	}
	l.mu.Unlock()
	for _, folder := range left {
		l.clear(folder)
	}
}
