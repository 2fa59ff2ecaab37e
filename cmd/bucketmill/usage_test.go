package main

import (
	"strings"
	"testing"
)

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, says string }{
		{"run --inputs x", `^bucketmill: unknown flag: --inputs: did you mean --input\?`},
		{"submit --ouput x", `did you mean --output\?`},
		{"run -reducers 3", `^bucketmill: --reducers "educers" is not valid: use a whole number\n`},
		{"run -r three", `^bucketmill: --reducers "three" is not valid: use a whole number\n`},
		{"run -r 99999999999999999999", `--reducers .*: use a whole number of at most 64 bits`},
		{"run --overwrite=maybe", `--overwrite "maybe" is not valid: use true or false`},
		{"run --price-get cheap", `--price-get "cheap" is not valid: use a number`},
		{"run --executors 1.5", `--executors "1\.5" is not valid: use a whole number`},
		{"controller --interval soon", `--interval "soon" is not valid: use a duration`},
		{"generate text --seed -1", `--seed "-1" is not valid: use a whole number, 0 or more`},
		{"controller --s3-path-style=perhaps", `--s3-path-style "perhaps" is not valid: use true or false`},
		{"controller --log-level loud", `--log-level "loud" is not valid: use DEBUG, INFO, WARN or ERROR`},
		{"completion nonsense", `no completion for "nonsense"`},
		{"completion bahs", `did you mean bash\?`},
		{"help nonsense", `no command "nonsense"`},
		{"help stats", `no command "stats": did you mean status\?`},
		{"statsu", `unknown command "statsu": did you mean status\?`},
	} {
		args := strings.Fields(c.args)
		r := command(t.Context(), args...)
		if r.code != exitUsage {
			t.Errorf("%s: exit code %d", c.args, r.code)
		}
		checkComplaint(t, r, c.says)
		see := `See "bucketmill ` + args[0] + ` --help".`
		if args[0] == "statsu" {
			see = `See "bucketmill help".`
		}
		if !strings.Contains(r.stderr, see) || strings.Contains(r.stderr, "strconv") {
			t.Errorf("%s: %s", c.args, r.stderr)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct{ entry, says string }{
		{"BUCKETMILL_TOKNES=x", "BUCKETMILL_TOKNES is not a setting: did you mean BUCKETMILL_TOKENS?"},
		{"BUCKETMILL_WEBHOOKSECRET=x", "did you mean BUCKETMILL_WEBHOOK_SECRET?"},
		{"BUCKETMILL_SERVR=", "did you mean BUCKETMILL_SERVER?"},
		{"BUCKETMILL_QUITE_ANOTHER=x", "BUCKETMILL_QUITE_ANOTHER is not a setting"},
		{"BUCKETMILL_CPUPROFILE=x", "not a setting"},
		{"BUCKETMILL_PRINT_CONFIG=true", "not a setting"},
		{"BUCKETMILL_=x", "not a setting"},
		{"BUCKETMILL_SERVICE=x", "not a setting"},
		{"BUCKETMILL_LISTEN_PORT=8080", "not a setting"},
		// Variables of services, clients, compose, and Kubernetes for services.
		{"BUCKETMILL_TOKENS=x", ""},
		{"BUCKETMILL_LEASE=1s", ""},
		{"BUCKETMILL_DATA=x", ""},
		{"BUCKETMILL_TOKEN=x", ""},
		{"BUCKETMILL_CA=x", ""},
		{"BUCKETMILL_CONFIG=x", ""},
		{"BUCKETMILL_PORT=9000", ""},
		{"BUCKETMILL_PORT=tcp://10.0.0.11:8080", ""},
		{"BUCKETMILL_SERVICE_HOST=10.0.0.11", ""},
		{"BUCKETMILL_SERVICE_PORT=8080", ""},
		{"BUCKETMILL_SERVICE_PORT_HTTP=8080", ""},
		{"BUCKETMILL_PORT_8080_TCP=tcp://10.0.0.11:8080", ""},
		{"BUCKETMILL_PORT_8080_TCP_ADDR=10.0.0.11", ""},
		{"BUCKETMILL_PORT_8080_TCP_PROTO=tcp", ""},
		{"BUCKETMILL_PORT_8080_TCP_PORT=8080", ""},
		{"BUCKETMILL_CONTROLLER_SERVICE_HOST=10.0.0.11", ""},
		{"BUCKETMILL_CONTROLLER_PORT=tcp://10.0.0.11:8080", ""},
		{"BUCKETMILLS=x", ""},
		{"PATH=x", ""},
	} {
		err := checkEnvironment(newRootCommand(), []string{"HOME=/", c.entry})
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", c.entry, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v", c.entry, err)
		}
	}
	for _, args := range []string{"programs", "controller --print-config", "run wordcount -i x -o y", "status last", "list", "help", "completion bash"} {
		t.Setenv("BUCKETMILL_TOKNES", "x")
		r := command(t.Context(), strings.Fields(args)...)
		if r.code != exitUsage {
			t.Errorf("%s: exit code %d", args, r.code)
		}
		checkComplaint(t, r, "BUCKETMILL_TOKNES is not a setting")
	}
}
