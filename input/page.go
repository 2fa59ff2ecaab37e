package input

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// page is the stored form of several tasks. It contains each object's name once.
type page struct {
	Objects []pageObject `json:"objects"`
	Tasks   [][][3]int64 `json:"tasks"` // per task, per split: index into Objects, offset, length
}

type pageObject struct {
	URL  string `json:"url"`
	Raw  []byte `json:"raw,omitempty"` // the URL if it is not UTF-8, which JSON can't express
	Size int64  `json:"size"`          // bytes
	ETag string `json:"etag,omitempty"`
}

// EncodePage returns the stored form of tasks.
func EncodePage(tasks []Task) ([]byte, error) {
	p := page{Tasks: make([][][3]int64, len(tasks))}
	index := map[string]int64{}
	for i, task := range tasks {
		p.Tasks[i] = make([][3]int64, len(task))
		for j, s := range task {
			at, known := index[s.Input]
			if !known {
				at = int64(len(p.Objects))
				index[s.Input] = at
				o := pageObject{URL: s.Input, Size: s.Size, ETag: s.ETag}
				if !utf8.ValidString(s.Input) {
					o.Raw = []byte(s.Input)
				}
				p.Objects = append(p.Objects, o)
			}
			p.Tasks[i][j] = [3]int64{at, s.Offset, s.Length}
		}
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode plan page: %w", err)
	}
	return data, nil
}

// DecodePage reads what EncodePage wrote.
func DecodePage(data []byte) ([]Task, error) {
	var p page
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("decode plan page: %w", err)
	}
	for i := range p.Objects {
		if o := &p.Objects[i]; o.Raw != nil {
			o.URL = string(o.Raw)
		}
	}
	tasks := make([]Task, len(p.Tasks))
	for i, splits := range p.Tasks {
		tasks[i] = make(Task, len(splits))
		for j, s := range splits {
			if s[0] < 0 || s[0] >= int64(len(p.Objects)) {
				return nil, fmt.Errorf("decode plan page: task %d names object %d of %d", i, s[0], len(p.Objects))
			}
			o := &p.Objects[s[0]]
			tasks[i][j] = Split{Input: o.URL, Size: o.Size, ETag: o.ETag, Offset: s[1], Length: s[2]}
		}
	}
	return tasks, nil
}
