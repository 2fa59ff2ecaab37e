package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// table prints the results.
type table struct {
	out      io.Writer
	markdown bool
}

// machine prints a line about the machine and the runs.
func (t *table) machine(b *bench) error {
	_, err := fmt.Fprintf(t.out, "%s, %s, %s memory, %s %s/%s; scale %g, medians of %d interleaved runs after one to warm up\n",
		plural(runtime.NumCPU(), "core"), fieldOf("/proc/cpuinfo", "model name"), memorySize(), runtime.Version(), runtime.GOOS, runtime.GOARCH, b.size, b.runs)
	return err
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return humanize.Comma(int64(n)) + " " + what + "s"
}

// fieldOf returns the value of a "name : value" line of a file, or "unknown".
func fieldOf(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func memorySize() string {
	var kib uint64
	if _, err := fmt.Sscan(fieldOf("/proc/meminfo", "MemTotal"), &kib); err != nil {
		return "unknown"
	}
	return humanize.IBytes(kib << 10)
}

var columns = []string{"", "wall", "min – max", "ours/it, wall (95%)", "CPU", "ours/it, CPU", "peak memory", "besides"}

// print prints a case. err says why it failed, if it did.
func (t *table) print(c benchmark, rows []row, err error) error {
	lines := [][]string{columns}
	for i := range rows {
		lines = append(lines, rows[i].cells(&rows[0]))
	}
	var b strings.Builder
	if t.markdown {
		fmt.Fprintf(&b, "\n### %s: %s\n\n", c.name, c.about)
		for i, line := range lines {
			for j := range line {
				line[j] = strings.ReplaceAll(line[j], "|", `\|`)
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
			if i == 0 {
				fmt.Fprintln(&b, strings.Repeat("|---", len(columns))+"|")
			}
		}
	} else {
		fmt.Fprintf(&b, "\n%s: %s\n", c.name, c.about)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, line := range lines {
			fmt.Fprintf(w, "  %s\n", strings.Join(line, "\t"))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if err != nil {
		fmt.Fprintf(&b, "\n**FAIL** %s: %v\n", c.name, err)
	}
	_, err = io.WriteString(t.out, b.String())
	return err
}

func wallOf(r result) float64  { return r.wall.Seconds() }
func cpuTime(r result) float64 { return r.cpu.Seconds() }

// cells returns a row of the table.
func (r *row) cells(ours *row) []string {
	cells := make([]string, len(columns))
	cells[0] = r.name
	switch {
	case r.absent != "":
		cells[1] = "absent: " + r.absent
		return cells
	case r.err != nil:
		cells[1] = "FAIL"
		return cells
	case len(r.results) == 0:
		cells[1] = "not run"
		return cells
	}
	least, most := r.results[0].wall, r.results[0].wall
	for _, result := range r.results {
		least, most = min(least, result.wall), max(most, result.wall)
	}
	cells[1] = seconds(time.Duration(r.medianOf(wallOf) * float64(time.Second)))
	cells[2] = seconds(least) + " – " + seconds(most)
	if r != ours {
		wall, low, high := r.ratio(ours, wallOf)
		cells[3] = fmt.Sprintf("%.2f (%.2f – %.2f)", wall, low, high)
		if cpu, _, _ := r.ratio(ours, cpuTime); cpu > 0 {
			cells[5] = fmt.Sprintf("%.2f", cpu)
		}
	}
	if cpu := r.medianOf(cpuTime); cpu > 0 {
		cells[4] = seconds(time.Duration(cpu * float64(time.Second)))
	}
	if peak := r.medianOf(func(r result) float64 { return float64(r.peak) }); peak > 0 {
		cells[6] = humanize.IBytes(uint64(peak))
	}
	cells[7] = strings.Join(r.besides(), ", ")
	return cells
}

// besides returns the percentiles of all samples, and the medians of the figures.
func (r *row) besides() (texts []string) {
	var samples []time.Duration
	for _, result := range r.results {
		samples = append(samples, result.samples...)
	}
	if len(samples) > 0 {
		texts = append(texts, fmt.Sprintf("p50 %s", seconds(percentile(samples, 0.5))),
			fmt.Sprintf("p99 %s of %d", seconds(percentile(samples, 0.99)), len(samples)))
	}
	for i, f := range r.results[0].figures {
		value := r.medianOf(func(r result) float64 { return r.figures[i].value })
		texts = append(texts, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.name, digits(value), f.unit)))
	}
	return texts
}

// digits formats a number with about three digits.
func digits(v float64) string {
	switch {
	case v == float64(int64(v)):
		return humanize.Comma(int64(v))
	case v >= 100:
		return humanize.Comma(int64(v + 0.5))
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
