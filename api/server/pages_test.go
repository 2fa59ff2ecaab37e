package server_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/objstore"
)

// byFolder lists folder by folder, as SeaweedFS does: "a/b" comes before "a b".
type byFolder struct{ objstore.Bucket }

func (b byFolder) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		var all []objstore.Object
		for o, err := range b.Bucket.List(ctx, prefix) {
			if err != nil {
				yield(o, err)
				return
			}
			all = append(all, o)
		}
		slices.SortFunc(all, func(a, b objstore.Object) int {
			return slices.Compare(strings.Split(a.Key, "/"), strings.Split(b.Key, "/"))
		})
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// In any order of a store, its pages together have every key once.
func TestPagesInTheStoresOrder(t *testing.T) {
	for name, wrap := range map[string]func(objstore.Bucket) objstore.Bucket{
		"bytes":   nil,
		"folders": func(b objstore.Bucket) objstore.Bucket { return byFolder{b} },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			want := []string{"A", "a b", "a-b", "a.b", "a/1", "a/2", "a/3/4", "a/5", "a0", "b"}
			for _, key := range want {
				s.put("s3://inbox/"+key, "x")
			}
			s.folders.wrap = wrap
			pages := func(limit, after string) (keys []string) {
				for range 2 * len(want) {
					var list api.ObjectList
					must(t, json.Unmarshal(s.ask("GET", "/v1/objects/inbox?limit="+limit+"&after="+url.QueryEscape(after), "").body, &list))
					for _, o := range list.Objects {
						keys = append(keys, o.Key)
					}
					if after = list.Next; after == "" {
						return keys
					}
				}
				t.Fatalf("no end after %q", keys)
				return nil
			}
			for _, limit := range []string{"1", "3", "100"} {
				if got := slices.Sorted(slices.Values(pages(limit, ""))); !slices.Equal(got, want) {
					t.Errorf("pages of %s give %q", limit, got)
				}
			}
			// After a deleted key: the greater ones.
			if got := slices.Sorted(slices.Values(pages("100", "a.z"))); !slices.Equal(got, want[4:]) {
				t.Errorf("after a key that is not there: %q", got)
			}
		})
	}
}
