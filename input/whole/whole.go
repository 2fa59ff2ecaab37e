// Package whole takes an object as one record: the input format whole.
package whole

import (
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Format is the format of objects that are one record. An empty object has none.
type Format struct{}

const name = "whole"

func (Format) String() string { return name }

// Parse implements input.Kind.
func (f Format) Parse(s string) (input.Kind, error) {
	if s != name {
		return nil, nil
	}
	return f, nil
}

// Traits implements input.Kind.
func (Format) Traits() input.Traits { return input.Traits{} }

// Check implements input.Kind.
func (Format) Check(object string, size, maxRecord int64) error {
	if size > maxRecord {
		return &input.RecordTooLongError{Object: object, Limit: maxRecord}
	}
	return nil
}

// Reads implements input.Kind.
func (Format) Reads(s input.Split, opts input.Options) (ranges int, head bool) {
	return s.StreamReads(stretch(s), opts)
}

// Open implements input.Kind.
func (Format) Open(in *input.Source) input.Records {
	return &records{Stream: in.Stream(stretch(in.Split)), object: in.Split.Input, maxRecord: in.Options.MaxRecord}
}

func stretch(s input.Split) input.Stretch {
	all := s.WholeObject()
	all.Kept = true
	return all
}

// records reads the record of an object.
type records struct {
	input.Stream
	object    string
	maxRecord int64
}

// Next implements input.Records.
func (r *records) Next(b *record.Batch) error {
	for {
		if int64(len(r.Rest)) > r.maxRecord {
			return &input.RecordTooLongError{Object: r.object, Limit: r.maxRecord}
		}
		switch err := r.More(); {
		case err == nil:
		case errors.Is(err, io.EOF) && len(r.Rest) > 0:
			b.Framing = record.Whole
			b.Offset = r.Off
			b.Data = r.Take(len(r.Rest))
			return nil
		default:
			return err
		}
	}
}
