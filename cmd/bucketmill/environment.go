package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/job/yamltext"
)

// otherVariables are not settings of a service: they belong to client commands, to
// docker-compose.yml, and to tests.
var otherVariables = []string{
	envPrefix + "SERVER", envPrefix + "TOKEN", envPrefix + "CA", envPrefix + "CONFIG",
	envPrefix + "PORT",
	envPrefix + "REDIS_SERVER", envPrefix + "MINIO_SERVER", envPrefix + "TEST_SEED",
}

// serviceLinks matches the variables that Kubernetes sets in every pod for a Service whose name
// begins with "bucketmill".
var serviceLinks = regexp.MustCompile(`^` + envPrefix + `([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT=(tcp|udp|sctp)://.*|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)(=|$)`)

// variable returns the environment variable of a setting.
func variable(setting string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

// checkEnvironment refuses variables that look like settings but are not: a mistyped
// BUCKETMILL_TOKENS would open the server to everyone.
func checkEnvironment(root *cobra.Command, environment []string) error {
	known := slices.Clone(otherVariables)
	for _, cmd := range root.Commands() {
		if cmd.Flags().Lookup("config") == nil {
			continue
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !notSettings[f.Name] {
				known = append(known, variable(f.Name))
			}
		})
	}
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(known, name) || serviceLinks.MatchString(entry) {
			continue
		}
		return usageError{fmt.Errorf("the environment variable %s is not a setting%s", name, nearestVariable(name, known))}
	}
	return nil
}

func nearestVariable(name string, known []string) string {
	var settings []string
	for _, k := range known {
		settings = append(settings, strings.ToLower(strings.TrimPrefix(k, envPrefix)))
	}
	if near := yamltext.Nearest(strings.TrimPrefix(name, envPrefix), settings); near != "" {
		return ": did you mean " + variable(near) + "?"
	}
	return ""
}
