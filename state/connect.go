package state

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// These are the defaults of a URL's options. A dead server must be noticed soon: while a call
// hangs, its caller does not reach the server that takes over. A server that is back within about
// two seconds must not cause an error.
const (
	maxRetries      = 5
	minRetryBackoff = 100 * time.Millisecond // doubles up to the client's own default of 1s
	dialTimeout     = 2 * time.Second
	dialerRetries   = 1 // each retry of a call dials again; by default each would dial five times
	maxRedirects    = 8 // of a cluster's calls; the client counts them as retries, too
)

// Ports of addresses without one.
const (
	serverPort   = "6379"
	sentinelPort = "26379"
)

// refusedOptions would read the state from replicas, which lag, or have another place in our URLs,
// or make no sense here.
var refusedOptions = []string{
	"addr", "context_timeout_enabled", "master_name", "password", "read_only", "replica_only", "route_by_latency",
	"route_by_latency_tolerance", "route_randomly", "use_disconnected_replicas", "username",
}

// Options of the sentinels themselves: their users and passwords are not those of the Redis that
// they watch.
const (
	sentinelUser     = "sentinel_username"
	sentinelPassword = "sentinel_password"
)

// address is what a URL says about a Redis; exactly one of its options is not nil.
type address struct {
	where    string // for errors: hosts and names, no secrets
	single   *redis.Options
	sentinel *redis.FailoverOptions
	cluster  *redis.ClusterOptions
}

// Connect opens the Redis at a URL and sends it one request. The URL is one of
//
//	redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]
//	redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/MASTER[/DB][?sentinel_username=…&sentinel_password=…]
//	redis+cluster://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]
//	unix://[[USER]:PASSWORD@]/PATH[?db=DB]
//
// and rediss:// for TLS, also in rediss+sentinel:// (then to the sentinels, too) and
// rediss+cluster://. The hosts are sentinels, or some nodes of the cluster; the others are
// discovered. Options of the client may follow as parameters, like pool_size=20 or
// read_timeout=10s. Errors never contain passwords. The Store's Close closes the connection.
func Connect(ctx context.Context, url, namespace string) (*Store, error) {
	a, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	rdb := a.open()
	if err := rdb.Ping(ctx).Err(); err != nil {
		if a.sentinel != nil && errors.Is(err, redis.Nil) {
			err = fmt.Errorf("its sentinels do not know a master named %q", a.sentinel.MasterName)
		}
		if isMute(err) {
			err = fmt.Errorf("it accepts connections but does not answer like a Redis: %w", err)
		}
		return nil, errors.Join(fmt.Errorf("reach redis at %s: %w", a.where, err), rdb.Close())
	}
	return New(rdb, namespace), nil
}

// isMute reports whether a server accepted a connection but did not answer in time.
func isMute(err error) bool {
	var op *net.OpError
	return errors.Is(err, os.ErrDeadlineExceeded) && (!errors.As(err, &op) || op.Op != "dial")
}

// CheckURL returns an error for a URL that Connect does not accept. It connects to nothing.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return err
}

// RedactURL returns a URL without its passwords, even if it is malformed.
func RedactURL(url string) string {
	const mask = "xxxxx"
	if before, after, ok := strings.Cut(url, sentinelPassword+"="); ok {
		_, rest, _ := cutBefore(after, "&#")
		url = before + sentinelPassword + "=" + mask + rest
	}
	scheme, rest, ok := strings.Cut(url, "://")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return url
	}
	user, _, ok := strings.Cut(rest[:at], ":")
	if !ok {
		return url // a name alone
	}
	return scheme + "://" + user + ":" + mask + rest[at:]
}

// cutBefore cuts s before the first character that is in chars.
func cutBefore(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:], true
	}
	return s, "", false
}

func (a *address) open() redis.UniversalClient {
	switch {
	case a.sentinel != nil:
		return redis.NewFailoverClient(a.sentinel)
	case a.cluster != nil:
		return redis.NewClusterClient(a.cluster)
	}
	return redis.NewClient(a.single)
}

// parseURL parses a URL as Connect describes it.
func parseURL(raw string) (*address, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, errors.New(`redis url: "://" is missing: want something like redis://HOST:6379/0`)
	}
	authority, tail, _ := cutBefore(rest, "/?#")
	// net/url does not accept several hosts, so it gets only the first.
	at := strings.LastIndexByte(authority, '@')
	hosts := strings.Split(authority[at+1:], ",")
	u, err := url.Parse(scheme + "://" + authority[:at+1] + hosts[0] + tail)
	// An error of net/url quotes the URL, or the part that looks like a port.
	if err != nil || u.User == nil && misplacedPassword(u) {
		return nil, errors.New("redis url: malformed (in a password, characters like / ? # @ : % must be written as %2F and so on)")
	}
	var (
		a    *address
		kind string
	)
	u.Scheme, kind, _ = strings.Cut(u.Scheme, "+")
	switch u.Scheme + "+" + kind {
	case "redis+", "rediss+", "unix+":
		a, err = parseSingle(u, hosts)
	case "redis+sentinel", "rediss+sentinel":
		a, err = parseSentinel(u, hosts)
	case "redis+cluster", "rediss+cluster":
		a, err = parseCluster(u, hosts)
	default:
		err = fmt.Errorf("scheme %q is not one of redis, redis+sentinel, redis+cluster, their TLS variants rediss…, and unix", scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("redis url: %w", err)
	}
	return a, nil
}

// misplacedPassword reports whether an @ is where none is allowed: a password that contains a slash
// or a question mark looks like that, and must not appear in errors as a path or an option.
func misplacedPassword(u *url.URL) bool {
	if strings.Contains(u.Path+u.Fragment, "@") {
		return true
	}
	for key, values := range u.Query() {
		secret := key == sentinelUser || key == sentinelPassword
		if strings.Contains(key, "@") || !secret && slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "@") }) {
			return true
		}
	}
	return false
}

func parseSingle(u *url.URL, hosts []string) (*address, error) {
	if len(hosts) > 1 {
		return nil, fmt.Errorf("%s:// takes one host; use redis+sentinel:// or redis+cluster:// for several", u.Scheme)
	}
	opts, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, err
	}
	opts.ContextTimeoutEnabled = true
	applyDefaults(&opts.MaxRetries, &opts.MinRetryBackoff, &opts.DialTimeout, &opts.DialerRetries)
	return &address{where: opts.Addr, single: opts}, nil
}

func parseSentinel(u *url.URL, hosts []string) (*address, error) {
	addrs, err := splitHosts(hosts, sentinelPort)
	if err != nil {
		return nil, err
	}
	master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		return nil, errors.New("the master's name is missing: want redis+sentinel://HOST:26379,…/MASTER[/DB]")
	}
	query, err := clientOptions(u)
	if err != nil {
		return nil, err
	}
	user, password := query.Get(sentinelUser), query.Get(sentinelPassword)
	query.Del(sentinelUser)
	query.Del(sentinelPassword)
	opts, err := redis.ParseFailoverURL(plainURL(u.Scheme, db, query))
	if err != nil {
		return nil, err
	}
	if opts.DB < 0 {
		return nil, fmt.Errorf("database %d is negative", opts.DB)
	}
	opts.MasterName, opts.SentinelAddrs = master, addrs
	opts.SentinelUsername, opts.SentinelPassword = user, password
	opts.Username, opts.Password = credentials(u)
	opts.ContextTimeoutEnabled = true
	ownNames(opts.TLSConfig)
	applyDefaults(&opts.MaxRetries, &opts.MinRetryBackoff, &opts.DialTimeout, &opts.DialerRetries)
	return &address{where: master + " of sentinel " + strings.Join(addrs, ","), sentinel: opts}, nil
}

func parseCluster(u *url.URL, hosts []string) (*address, error) {
	addrs, err := splitHosts(hosts, serverPort)
	if err != nil {
		return nil, err
	}
	if db := strings.Trim(u.Path, "/"); db != "" && db != "0" {
		return nil, fmt.Errorf("a cluster has no databases: remove %q", "/"+db)
	}
	query, err := clientOptions(u)
	if err != nil {
		return nil, err
	}
	opts, err := redis.ParseClusterURL(plainURL(u.Scheme, "", query))
	if err != nil {
		return nil, err
	}
	opts.Addrs = addrs
	opts.Username, opts.Password = credentials(u)
	opts.ContextTimeoutEnabled = true
	ownNames(opts.TLSConfig)
	if opts.MaxRedirects == 0 {
		opts.MaxRedirects = maxRedirects
	}
	// A cluster's client repeats its nodes' calls itself, so MaxRetries stays off.
	ignored := -1
	applyDefaults(&ignored, &opts.MinRetryBackoff, &opts.DialTimeout, &opts.DialerRetries)
	return &address{where: "cluster " + strings.Join(addrs, ","), cluster: opts}, nil
}

// splitHosts splits a list of HOST[:PORT] and adds the default port.
func splitHosts(hosts []string, defaultPort string) ([]string, error) {
	addrs := make([]string, len(hosts))
	for i, text := range hosts {
		u, err := url.Parse("redis://" + text)
		if err != nil || u.Hostname() == "" || u.Host != text {
			return nil, fmt.Errorf("host %d of %d is malformed: want HOST[:PORT][,HOST[:PORT]…]", i+1, len(hosts))
		}
		addrs[i] = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), defaultPort))
	}
	return addrs, nil
}

// clientOptions returns a URL's parameters, and refuses those that make no sense here.
func clientOptions(u *url.URL) (url.Values, error) {
	query := u.Query()
	for _, name := range refusedOptions {
		if query.Has(name) {
			return nil, fmt.Errorf("option %s is not supported here", name)
		}
	}
	return query, nil
}

// plainURL returns a URL for the client library, which reads options and database from it.
func plainURL(scheme, db string, query url.Values) string {
	u := url.URL{Scheme: scheme, Host: "placeholder", Path: "/" + db, RawQuery: query.Encode()}
	return u.String()
}

func credentials(u *url.URL) (user, password string) {
	if u.User == nil {
		return "", ""
	}
	password, _ = u.User.Password()
	return u.User.Username(), password
}

// ownNames has each server's certificate checked for the host by which this server was dialed. The
// client would check all certificates for the first host.
func ownNames(config *tls.Config) {
	if config != nil {
		config.ServerName, config.MinVersion = "", tls.VersionTLS12
	}
}

func applyDefaults(retries *int, backoff, dial *time.Duration, dials *int) {
	setDefault(retries, maxRetries)
	setDefault(backoff, minRetryBackoff)
	setDefault(dial, dialTimeout)
	setDefault(dials, dialerRetries)
}

func setDefault[T int | time.Duration](option *T, value T) {
	if *option == 0 {
		*option = value
	}
}
