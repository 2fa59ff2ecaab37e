package objstore

// MaxParts is how many parts S3 allows an upload.
const MaxParts = 10_000

// Limits of S3 and the usual sizes of parts, in bytes.
const (
	MinPartSize     = 5 << 20 // what S3 allows
	DefaultPartSize = 8 << 20
)

// PartSizes says how large the parts of an upload are. Each part is a request, which costs money and
// time, and memory of the writer until it is sent, while what has been sent is out of the way when the
// object ends. So parts grow with what is before them.
type PartSizes struct {
	Least int64 // bytes, MinPartSize at least; 0 means DefaultPartSize
	Most  int64 // bytes, or Least if that is more; beyond 1,200 times this, still more

	// Equal has all parts but the last have Most bytes, as Cloudflare's R2 wants them. Then an object of
	// more than MaxParts of them can't be written.
	Equal bool
}

// A part has up to a quarter of what is before it; and, however large that is, so much of it that
// an object of 5 TiB, the largest there is, has at most MaxParts.
const (
	partQuarter = 4
	partGrowth  = 1200
)

// After is the size in bytes of the part that has so many before it.
func (p PartSizes) After(bytes int64) int64 {
	p = p.WithDefaults()
	if p.Equal {
		return p.Most
	}
	return max(p.Least, min(bytes/partQuarter, p.Most), bytes/partGrowth)
}

// Count is in how many parts so many bytes are uploaded, one at least.
func (p PartSizes) Count(bytes int64) (n int64) {
	for begun := int64(0); begun < bytes || n == 0; n++ {
		begun += p.After(begun)
	}
	return n
}

// WithDefaults fills in what is 0, and has Most be Least at least.
func (p PartSizes) WithDefaults() PartSizes {
	if p.Least == 0 {
		p.Least = DefaultPartSize
	}
	p.Most = max(p.Most, p.Least)
	return p
}
