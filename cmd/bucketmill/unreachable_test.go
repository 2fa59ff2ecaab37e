package main

import (
	"os"
	"testing"
)

// A store that does not answer is tried for a while, and then named in the error; also when it is
// only needed for the clean-up of an interrupted job.
func TestUnreachableWorkStore(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "to be\n"})
	for _, driver := range []string{"minio", "s3"} {
		for name, c := range map[string]struct {
			interrupt bool
			code      int
			stderr    string
		}{
			"waited for":  {false, exitFailed, `store the plan: put s3://nowhere/w/.*store does not answer`},
			"interrupted": {true, exitInterrupted, `interrupted`},
		} {
			t.Run(driver+" "+name, func(t *testing.T) {
				t.Parallel()
				p := startProcess(t, []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"},
					"run", "wordcount", "-i", folder+"/in.txt", "-o", folder+"/out",
					"--work", "s3://nowhere/w", "--s3-endpoint", "http://127.0.0.1:1", "--s3-driver", driver)
				if c.interrupt {
					eventually(t, "planning", func() bool { return containsPhase(p.stderr.String(), "plan") })
					p.signal(os.Interrupt)
				}
				if code := p.wait(patience).ExitCode(); code != c.code {
					t.Errorf("exit code %d", code)
				}
				checkComplaint(t, result{stdout: p.stdout.String(), stderr: p.stderr.String()}, c.stderr)
				checkEmpty(t, p.temp)
				checkEmpty(t, folder+"/out")
			})
		}
	}
}
