package main

import (
	"context"
)

const streamingBytes = 200_000_000 // of text, when full

// The commands of the word count: a mapper that adds up, and a reducer of sorted pairs.
const (
	awkMapper  = `{ for (i = 1; i <= NF; i++) c[$i]++ } END { for (w in c) print w "\t" c[w] }`
	awkReducer = `BEGIN { FS = "\t" } $1 != k { if (NR > 1) print k "\t" n; k = $1; n = 0 } { n += $2 } END { if (NR) print k "\t" n }`
)

// mapHalves runs two mappers, each on half of the text. It finds the end of the first half without
// reading that half.
const mapHalves = `
set -e
export LC_ALL=C
half=$(( $(wc -c < "$1") / 2 ))
half=$(( half + $(tail -c "+$((half + 1))" "$1" | head -n 1 | wc -c) ))
head -c "$half" "$1" | awk "$2" > "$4/a" & one=$!
tail -c "+$((half + 1))" "$1" | awk "$2" > "$4/b" & two=$!
wait $one; wait $two
`

// pipeline runs the commands in a shell on two cores: each reducer gets half of the words, sorted.
const pipeline = mapHalves + `
awk -F '\t' '{ print > (length($1) % 2 ? odd : even) }' odd="$4/odd" even="$4/even" "$4/a" "$4/b"
sort -S 64M "$4/odd" | awk "$3" & one=$!
sort -S 64M "$4/even" | awk "$3" > "$4/c"
wait $one
cat "$4/c"
`

// simplePipeline has one reducer.
const simplePipeline = mapHalves + `
sort --parallel=2 -S 128M "$4/a" "$4/b" | awk "$3"
`

var streamingCase = benchmark{
	name:  "streaming",
	about: "200 MB of the text, by an awk mapper that keeps totals and an awk reducer, beside the same in shell pipelines",
	prepare: func(ctx context.Context, b *bench) ([]contender, error) {
		file, want, err := b.text(ctx, streamingBytes)
		if err != nil {
			return nil, err
		}
		folder, err := b.memoryFolder()
		if err != nil {
			return nil, err
		}
		quoted := func(program string) string { return "awk '" + program + "'" }
		return []contender{
			b.run("bucketmill run --mapper awk --reducer awk", want.checkOutput,
				"--mapper", quoted(awkMapper), "--reducer", quoted(awkReducer), "--input", file),
			b.run("the same with 2 reducers", want.checkOutput,
				"--mapper", quoted(awkMapper), "--reducer", quoted(awkReducer), "--input", file, "--reducers", "2"),
			b.prints(want, false, "shell: 2 mappers, sort, 1 reducer", "sh", "-c", simplePipeline, "sh", file, awkMapper, awkReducer, folder),
			b.prints(want, false, "shell: 2 mappers, 2 of sort and reducer", "sh", "-c", pipeline, "sh", file, awkMapper, awkReducer, folder),
		}, nil
	},
}
