package mapredtest

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/bucketmill/bucketmill/internal/record"
)

// An Option is an input of a job, or says how it is run.
type Option func(*config) error

// config is a job's input and how it is run.
type config struct {
	inputs     []record.Batch
	format     string
	params     map[string]string
	tasks      int
	reducers   int
	sortValues bool
	unstable   bool
}

// Lines is an input of lines. The name is what Record.Input says.
func Lines(name string, lines ...string) Option {
	var data []byte
	for _, line := range lines {
		data = append(append(data, line...), '\n')
	}
	return input("text", record.Batch{Input: name, Framing: record.Lines, Data: data})
}

// CSV is an input of rows of CSV, the first of which is the header.
func CSV(name, header string, rows ...string) Option {
	data := strings.Join(append(rows, ""), "\n")
	return input("csv", record.Batch{
		Input: name, Framing: record.Lines, Header: []byte(header), Offset: int64(len(header) + 1), Data: []byte(data),
	})
}

// Records is an input of records that are any bytes, as those of the formats whole and fixed are.
// Each has the sum of the lengths of those before as its offset.
func Records(name string, values ...[]byte) Option {
	return func(c *config) error {
		offset := int64(0)
		for _, value := range values {
			b := record.Batch{Input: name, Offset: offset, Framing: record.Whole, Data: value}
			if err := input("whole", b)(c); err != nil {
				return err
			}
			offset += int64(len(value))
		}
		return nil
	}
}

// File is an input of the lines of a file. Of a file whose name ends in .csv the first line is the
// header.
func File(path string) Option {
	return func(c *config) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b := record.Batch{Input: path, Framing: record.Lines, Data: data}
		if !strings.HasSuffix(path, ".csv") {
			return input("text", b)(c)
		}
		header, rest, _ := bytes.Cut(data, []byte("\n"))
		b.Header, b.Data, b.Offset = bytes.TrimSuffix(header, []byte("\r")), rest, int64(len(data)-len(rest))
		return input("csv", b)(c)
	}
}

func input(format string, b record.Batch) Option {
	return func(c *config) error {
		if c.format != "" && c.format != format {
			return fmt.Errorf("inputs of the formats %s and %s; a job has one format", c.format, format)
		}
		c.format = format
		c.inputs = append(c.inputs, b)
		return nil
	}
}

// Param sets a parameter of the job.
func Param(name, value string) Option {
	return func(c *config) error {
		if c.params == nil {
			c.params = map[string]string{}
		}
		c.params[name] = value
		return nil
	}
}

// MapTasks is how many map tasks the job has; 1 without this option. Each gets a part of every
// input.
func MapTasks(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("%d map tasks; a job has at least one", n)
		}
		c.tasks = n
		return nil
	}
}

// Reducers is how many reduce tasks the job has; 1 without this option. With 0 the mapper emits the
// output.
func Reducers(n int) Option {
	return func(c *config) error {
		if n < 0 {
			return fmt.Errorf("%d reducers", n)
		}
		c.reducers = n
		return nil
	}
}

// SortValues sorts the values of each key by their bytes, as --sort-values does.
func SortValues() Option {
	return func(c *config) error {
		c.sortValues = true
		return nil
	}
}

// Unstable accepts a job whose output is not determined by its input, as sums of floating point
// numbers are not. The job is run in one way only.
func Unstable() Option {
	return func(c *config) error {
		c.unstable = true
		return nil
	}
}
