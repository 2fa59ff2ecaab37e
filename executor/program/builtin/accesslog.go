package builtin

import (
	"bytes"
	"strconv"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

// accessFormat describes a valid line.
const accessFormat = `CLIENT IDENT USER [TIME] "REQUEST" STATUS BYTES, the Common or Combined format of web server logs`

var accessLogBuiltin = builtin{
	info: program.Info{
		Name: "accesslog",
		Summary: "requests, errors (status 400 and above) and error rate per client " +
			"of web server logs in the Common or Combined format",
		Reads:  accessFormat,
		Params: []program.Param{strictParam},
	},
	open: func(p *program.Params) (program.Program, error) {
		strict := p.Flag("strict")
		return columnsProgram(record.Columns{record.Sum, record.Sum}, appendErrorRate,
			func(p inProcess, encode encodeInts) program.Mapper {
				return &accessLogMapper{
					inProcess: p,
					malformed: malformed{program: "accesslog", strict: strict},
					good:      encode(nil, 1, 0),
					bad:       encode(nil, 1, 1),
				}
			}), nil
	},
}

// appendErrorRate appends requests, errors, and errors per request, separated by tabs.
func appendErrorRate(dst []byte, totals []record.Total) []byte {
	requests, errors := totals[0], totals[1]
	dst = append(requests.AppendText(dst), '\t')
	dst = append(errors.AppendText(dst), '\t')
	return strconv.AppendFloat(dst, errors.Float64()/requests.Float64(), 'f', 4, 64)
}

type accessLogMapper struct {
	inProcess
	malformed
	good, bad []byte // values of a request that succeeded, and of one that failed
}

func (m *accessLogMapper) Map(b *record.Batch, out *record.Emitter) error {
	for offset, line := range b.Records() {
		if len(line) == 0 {
			continue
		}
		client, status, ok := parseAccess(line)
		switch {
		case !ok:
			if err := m.skip(b, offset, line, "not of the form "+accessFormat); err != nil {
				return err
			}
		case status >= 400:
			out.Emit(client, m.bad)
		default:
			out.Emit(client, m.good)
		}
	}
	return m.done(out)
}

// parseAccess returns a log line's client and status:
//
//	client ident user [time] "request" status bytes …
//
// The user may contain spaces, and the request escaped quotes. See accessClient for other forms of
// the part before the time.
func parseAccess(line []byte) (client []byte, status int, ok bool) {
	head, rest, ok := bytes.Cut(line, []byte(" ["))
	if !ok {
		return nil, 0, false
	}
	if client, ok = accessClient(head); !ok {
		return nil, 0, false
	}
	_, rest, ok = bytes.Cut(rest, []byte(`] "`))
	if !ok {
		return nil, 0, false
	}
	quote := closingQuote(rest)
	if quote < 0 {
		return nil, 0, false
	}
	// Next is ` 200 1234`, or ` 200 -`, and then anything.
	rest = rest[quote+1:]
	if len(rest) < 6 || rest[0] != ' ' || rest[4] != ' ' {
		return nil, 0, false
	}
	for _, c := range rest[1:4] {
		if c < '0' || c > '9' {
			return nil, 0, false
		}
		status = status*10 + int(c-'0')
	}
	if c := rest[5]; c != '-' && (c < '0' || c > '9') || status < 100 {
		return nil, 0, false
	}
	return client, status, true
}

// closingQuote returns the index of the first quote that no backslash escapes, or -1.
func closingQuote(s []byte) int {
	for at := 0; at < len(s); at++ {
		switch s[at] {
		case '\\':
			at++
		case '"':
			return at
		}
	}
	return -1
}
