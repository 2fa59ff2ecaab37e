package sample

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"
)

const (
	logLines    = 1024   // of a block
	logClients  = 50_000 // distinct addresses
	logPaths    = 5_000  // distinct
	logInterval = 40 * time.Millisecond
	logSite     = "https://www.example.com"
)

var (
	methods  = []weighted{{"GET", 88}, {"POST", 9}, {"HEAD", 2}, {"PUT", 1}}
	statuses = []weighted{
		{"200", 830},
		{"201", 15},
		{"204", 10},
		{"206", 10},
		{"301", 15},
		{"302", 15},
		{"304", 30},
		{"400", 6},
		{"401", 8},
		{"403", 6},
		{"404", 40},
		{"429", 2},
		{"500", 6},
		{"502", 3},
		{"503", 4},
	}
	agents = []weighted{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", 40},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", 25},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", 15},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 12},
		{"curl/8.14.1", 5},
		{"-", 3},
	}
	suffixes  = []weighted{{"", 40}, {".html", 25}, {"/", 15}, {".png", 8}, {".css", 6}, {".js", 6}}
	referrers = []weighted{{"-", 60}, {logSite, 40}}
)

// AccessLog is a source of lines in the Combined Log Format of web servers: the Common Log Format,
// a referrer and a user agent. Addresses and paths are drawn by Zipf's law, 7.5 % of requests have
// a status of at least 400, and there are 25 requests per second.
type AccessLog struct {
	seed           uint64
	clients, paths []string
	client, path   chooser

	method, status, agent, referrer choices
}

// NewAccessLog returns an access log of 50,000 clients and 5,000 paths.
func NewAccessLog(seed uint64) *AccessLog {
	return &AccessLog{
		seed:     seed,
		clients:  newClients(logClients),
		paths:    newPaths(logPaths),
		client:   newZipf(logClients),
		path:     newZipf(logPaths),
		method:   newChoices(methods),
		status:   newChoices(statuses),
		agent:    newChoices(agents),
		referrer: newChoices(referrers),
	}
}

// newClients returns n distinct IPv4 addresses, with a first octet from 11 to 126.
func newClients(n int) []string {
	random := rand.NewPCG(3, 4)
	clients := make([]string, 0, n)
	known := make(map[netip.Addr]bool, n)
	for len(clients) < n {
		u := random.Uint64()
		addr := netip.AddrFrom4([4]byte{11 + byte(below(u, 116)), byte(u), byte(u >> 8), byte(u >> 16)})
		if !known[addr] {
			known[addr] = true
			clients = append(clients, addr.String())
		}
	}
	return clients
}

// newPaths returns n distinct paths of two words; the first is "/".
func newPaths(n int) []string {
	random := rand.NewPCG(5, 6)
	words := newWords(n)
	suffix := newChoices(suffixes)
	paths := make([]string, n)
	paths[0] = "/"
	for i := range paths[1:] {
		folder := &words[below(random.Uint64(), 40)]
		paths[i+1] = "/" + folder.String() + "/" + words[i].String() + suffix.choose(random.Uint64())
	}
	return paths
}

// Header is empty.
func (a *AccessLog) Header() []byte { return nil }

// AppendBlock appends 1024 lines.
func (a *AccessLog) AppendBlock(dst []byte, n uint64) []byte {
	random := blockRand(a.seed, n)
	times := clock{layout: "02/Jan/2006:15:04:05 -0700", interval: logInterval}
	for line := n * logLines; line < (n+1)*logLines; line++ {
		dst = append(dst, a.clients[a.client.choose(random.Uint64())]...)
		dst = append(dst, " - - ["...)
		dst = times.append(dst, random, line)
		dst = append(dst, `] "`...)
		method := a.method.choose(random.Uint64())
		dst = append(dst, method...)
		dst = append(dst, ' ')
		dst = append(dst, a.paths[a.path.choose(random.Uint64())]...)
		dst = append(dst, ` HTTP/1.1" `...)
		status := a.status.choose(random.Uint64())
		dst = append(dst, status...)
		dst = append(dst, ' ')
		dst = appendBodySize(dst, random, method, status)
		dst = append(dst, ` "`...)
		referrer := a.referrer.choose(random.Uint64())
		dst = append(dst, referrer...)
		if referrer == logSite {
			dst = append(dst, a.paths[a.path.choose(random.Uint64())]...)
		}
		dst = append(dst, `" "`...)
		dst = append(dst, a.agent.choose(random.Uint64())...)
		dst = append(dst, "\"\n"...)
	}
	return dst
}

// appendBodySize appends an answer's size in bytes, or a dash for an answer without a body.
func appendBodySize(dst []byte, random *rand.PCG, method, status string) []byte {
	u := random.Uint64()
	switch {
	case method == "HEAD" || status == "204" || status == "304":
		return append(dst, '-')
	case status[0] == '2':
		// Up to a power of two from 2^6 to 2^17, all equally likely: most are small.
		return strconv.AppendUint(dst, 200+below(u, 1<<(6+u%12)), 10)
	default:
		return strconv.AppendUint(dst, 150+below(u, 400), 10)
	}
}
