package main

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/cmd/bucketmill/internal/sample"
)

// toStdout is the --output that means standard output.
const toStdout = "-"

// generateFlags are the flags of generate.
type generateFlags struct {
	output     string
	size       string
	seed       uint64
	files      int
	vocabulary int
	overwrite  bool
	stores     storeFlags
}

func newGenerateCommand() *cobra.Command {
	var flags generateFlags
	cmd := &cobra.Command{
		Use:   "generate KIND --output FOLDER",
		Short: "Make sample data",
		Long: `Make sample data. The same seed and size always give the same bytes.

  text       lines of words by Zipf's law                          text-00000.txt
  accesslog  lines of a web server's log, Combined Log Format      accesslog-00000.log
  activity   CSV: timestamp,user,action,amount; the first line
             of each file names the columns                        activity-00000.csv
  records    sort records of 100 bytes, in the format of
             gensort -a                                            records-00000.dat

Records are never cut: the data is less than one record shorter than the size, not
counting the first lines of CSV files. The files, one after another, contain the same
records whatever their number.`,
		Example: `  bucketmill generate text --output texts/ --size medium --files 8
  bucketmill generate accesslog --output s3://logs/web --size 2GiB
  bucketmill generate records --output - --size 10MB | head`,
		ValidArgs: sampleNames(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("generate takes one kind of data: %s", strings.Join(sampleNames(), ", "))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.run(cmd, args[0])
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&flags.output, "output", "o", "", "folder or s3://bucket/prefix for the files, or - for standard output (required)")
	fs.StringVar(&flags.size, "size", "medium", "size of all files together: small (1MiB), medium (64MiB), large (1GiB), or a number such as 2GiB")
	fs.Uint64Var(&flags.seed, "seed", 1, "number that selects the data: another seed gives other data of the same kind")
	fs.IntVar(&flags.files, "files", 1, "number of files")
	fs.IntVar(&flags.vocabulary, "vocabulary", sample.DefaultVocabulary, "text only: number of different words")
	fs.BoolVar(&flags.overwrite, "overwrite", false, "replace all existing files of that kind in the folder")
	flags.stores.register(fs)
	return cmd
}

// run checks the flags and makes the data.
func (f *generateFlags) run(cmd *cobra.Command, name string) error {
	kind, ok := findSampleKind(name)
	size, err := parseSize(f.size)
	switch {
	case !ok:
		return usageError{fmt.Errorf("%q is not a kind of data: use %s", name, strings.Join(sampleNames(), ", "))}
	case err != nil:
		return usageError{err}
	case f.output == "":
		return usageError{errors.New("--output is required: a folder, s3://bucket/prefix or -")}
	case f.files < 1 || f.files > maxSampleFiles:
		return usageError{fmt.Errorf("--files %d must be 1 to %d", f.files, maxSampleFiles)}
	case f.output == toStdout && f.files != 1:
		return usageError{fmt.Errorf("--files %d: standard output is one file", f.files)}
	case cmd.Flags().Changed("vocabulary") && name != "text":
		return usageError{errors.New("--vocabulary is for text only")}
	}
	source, err := kind.open(f)
	if err != nil {
		return usageError{err}
	}
	if f.output == toStdout {
		return writeSample(cmd.Context(), source, size, raw(cmd.OutOrStdout()))
	}
	stores, err := f.stores.open()
	if err != nil {
		return err
	}
	if err := stores.EnsureBucket(cmd.Context(), f.output); err != nil {
		return err
	}
	bucket, prefix, err := stores.Open(cmd.Context(), f.output)
	if err != nil {
		return err
	}
	files := sampleFiles{bucket: bucket, key: func(n int) string {
		return strings.TrimPrefix(fmt.Sprintf("%s/%s-%05d%s", strings.TrimSuffix(prefix, "/"), kind.name, n, kind.extension), "/")
	}}
	old, err := files.find(cmd.Context(), strings.TrimPrefix(strings.TrimSuffix(prefix, "/")+"/"+kind.name+"-", "/"), kind.extension)
	if err != nil {
		return err
	}
	if len(old) > 0 && !f.overwrite {
		return fmt.Errorf("%s/%s already exists: --overwrite replaces it", bucket.URL(), old[0])
	}
	if err := files.write(cmd.Context(), source, size, f.files); err != nil {
		return err
	}
	if err := files.drop(cmd.Context(), old, f.files); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "made %s of %s in %s: %s/%s\n",
		humanize.IBytes(uint64(files.written)), kind.name, plural(f.files, "file"), bucket.URL(), files.key(0))
	return err
}

// parseSize parses --size, in bytes.
func parseSize(s string) (int64, error) {
	switch s {
	case "small":
		return 1 << 20, nil
	case "medium":
		return 64 << 20, nil
	case "large":
		return 1 << 30, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("--size %q: use small, medium, large, or a number such as 500MB or 2GiB", s)
	}
	return int64(n), nil
}
