package main

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

const (
	mib = 1 << 20
	// The budget for buffers, and what the process may use besides, whatever the size of the input:
	// for code, stacks, clients, the embedded Redis, and garbage that is not yet collected.
	memoryBudget = 64 * mib
	memoryBeside = 160 * mib
	memoryGrowth = 24 * mib // from half of the input to all of it, that counts as noise
)

func TestMemoryDoesNotGrowWithTheInput(t *testing.T) {
	folder := t.TempDir()
	sizes := []int{200, 400} // MiB
	for _, size := range sizes {
		p := startProcess(t, nil, "generate", "text", "--size", fmt.Sprintf("%dMiB", size), "-o", filepath.Join(folder, fmt.Sprint(size)))
		if p.wait(patience).ExitCode() != exitDone {
			t.Fatal(p.stderr.String())
		}
	}
	for _, program := range []string{"wordcount", "sort"} {
		t.Run(program, func(t *testing.T) {
			var peaks []int64
			for _, size := range sizes {
				out := filepath.Join(t.TempDir(), "out")
				p := startProcess(t, nil, "run", program, "-i", filepath.Join(folder, fmt.Sprint(size)), "-o", out,
					"--memory", fmt.Sprint(memoryBudget), "--executors", "2", "-r", "2")
				state := p.wait(patience)
				if state.ExitCode() != exitDone {
					t.Fatalf("exit code %d\n%s", state.ExitCode(), p.stderr.String())
				}
				peaks = append(peaks, maxRSS(t, state.SysUsage()))
			}
			t.Logf("peak resident memory: %d MiB for %d MiB, %d MiB for %d MiB", peaks[0]/mib, sizes[0], peaks[1]/mib, sizes[1])
			if peaks[1] > memoryBudget+memoryBeside {
				t.Errorf("%d MiB resident for a budget of %d MiB", peaks[1]/mib, memoryBudget/mib)
			}
			if peaks[1] > peaks[0]+memoryGrowth {
				t.Errorf("resident memory grew by %d MiB with the input", (peaks[1]-peaks[0])/mib)
			}
		})
	}
}

// maxRSS returns a process's peak resident memory in bytes.
func maxRSS(t *testing.T, usage any) int64 {
	t.Helper()
	u, ok := usage.(*syscall.Rusage)
	if !ok {
		t.Fatalf("resource usage is a %T", usage)
	}
	return u.Maxrss << 10 // Linux counts in KiB
}

// The defaults of all commands work on a machine with any number of cores.
func TestDefaultMemoryIsEnoughForAllCores(t *testing.T) {
	t.Parallel()
	for cores, want := range map[int]job.ByteSize{1: 256 * mib, 16: 256 * mib, 17: 272 * mib, 128: 2048 * mib} {
		f := runFlags{memory: enoughMemory(defaultMemory, cores), executors: cores}
		if f.memory != want {
			t.Errorf("%d cores: %v, want %v", cores, &f.memory, &want)
		}
		if err := f.validate(); err != nil {
			t.Errorf("%d cores: %v", cores, err)
		}
	}
}
