package executor

import (
	"log/slog"
	"sync"

	"github.com/bucketmill/bucketmill/executor/program"
)

// leftovers are folders of attempts that are over and that could not be removed: the executor could open no more
// files, say. They are tried again with every heartbeat, and go with the scratch folder at last. No other
// attempt gets a folder of the same name.
type leftovers struct {
	log *slog.Logger

	mu      sync.Mutex
	folders map[string]bool // guarded by mu
}

// clear removes a folder, now or later. What an attempt has done counts all the same.
func (l *leftovers) clear(folder string) {
	err := program.RemoveScratch(folder)
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
		l.log.Warn("a scratch folder can't be removed; it is tried again", "folder", folder, "error", err)
	}
}

// clearAgain tries those that are left.
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
