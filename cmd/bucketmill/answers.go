package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/bucketmill/bucketmill/api"
)

// printJSON writes one answer of the API on one line.
func (s *session) printJSON(answer any) error {
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	return e.Encode(answer)
}

// printList writes the items of all pages as {"NAME":[…]}, like a list of the API, as they arrive.
func printList[T any](w io.Writer, name string, items iter.Seq2[T, error]) error {
	return printListAnd(w, name, items, func() (any, error) { return struct{}{}, nil })
}

// printListAnd is printList for an answer with other members, which it requests after the items.
func printListAnd[T any](w io.Writer, name string, items iter.Seq2[T, error], others func() (any, error)) error {
	before := fmt.Sprintf("{%q:[", name)
	for item, err := range items {
		if err != nil {
			return err
		}
		text, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		if _, err := fmt.Fprintf(w, "%s\n%s", before, text); err != nil {
			return err
		}
		before = ","
	}
	more, err := others()
	if err != nil {
		return err
	}
	text, err := json.Marshal(more)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	end := "]" + strings.Replace(string(text), "{", ",", 1)
	if string(text) == "{}" {
		end = "]}"
	}
	if before != "," {
		end = before + end
	} else {
		end = "\n" + end
	}
	_, err = fmt.Fprintln(w, end)
	return err
}

// tableStep is the number of rows after which a table is flushed: columns are aligned within that
// many rows.
const tableStep = 500

// printTable writes the head and a line of cells for each item. It writes nothing if there is no
// item.
func printTable[T any](w io.Writer, head string, items iter.Seq2[T, error], cells func(T) []string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	n := 0
	for item, err := range items {
		if err != nil {
			_ = t.Flush() // err is more important
			return err
		}
		if n == 0 {
			fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
		}
		row := cells(item)
		for i := range row {
			row[i] = visible(row[i])
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
		if n++; n%tableStep == 0 {
			if err := t.Flush(); err != nil {
				return err
			}
		}
	}
	return t.Flush()
}

// atMost yields the first n items, or all if n < 1.
func atMost[T any](n int, items iter.Seq2[T, error]) iter.Seq2[T, error] {
	if n < 1 {
		return items
	}
	return func(yield func(T, error) bool) {
		left := n
		for item, err := range items {
			if left--; !yield(item, err) || left == 0 {
				return
			}
		}
	}
}

// withoutErrors yields items, with nil as their errors.
func withoutErrors[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// ago formats how long ago something happened; "-" if it has not happened.
func ago(t *api.Time) string {
	if t == nil {
		return "-"
	}
	return humanize.Time(t.Time)
}

// clock formats a time of day, for recent events.
func clock(t *api.Time) string {
	if t == nil {
		return "-"
	}
	return t.Local().Format("15:04:05.000")
}

// between formats the time from one moment to another, or to now; "-" if the first is unknown.
func between(from, to *api.Time) string {
	switch {
	case from == nil:
		return "-"
	case to == nil:
		return time.Since(from.Time).Round(time.Second).String()
	}
	return to.Sub(from.Time).Round(time.Millisecond).String()
}

// orDash returns "-" for an empty cell of a table.
func orDash(text string) string { return cmp.Or(text, "-") }

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
