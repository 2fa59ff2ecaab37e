package program

import (
	"context"
	"slices"

	"github.com/bucketmill/bucketmill/job"
)

// Kind is a way to run programs. The folder of each kind exports one; package kinds has the table
// of all.
type Kind struct {
	job.Kind
	// Open returns the program of spec. The zero Config is ready to use. File is the local path of
	// the program's file, empty for kinds without files. An error about a parameter names it.
	Open func(cfg Config, spec Spec, file string) (Program, error)
	// Programs, if not nil, describes the programs of OriginName, sorted by name, or the parameters
	// of OriginCommands.
	Programs func() []Info
	// Prepare, if not nil, finds what all programs of the kind share on this machine, for
	// Config.Prepared.
	Prepare func(ctx context.Context, cfg Config) (any, error)
	// Imports, if not nil, returns the files that a program imports from the folder of its own
	// file, as paths below that folder, with slashes. It reads user code and does not run it.
	// Programs of such a kind find their program files beside their own file.
	Imports func(ctx context.Context, cfg Config, file string) ([]string, error)
	// ShowKey, if not nil, returns the part of an encoded key that people are shown; nil: the whole
	// key.
	ShowKey func(key []byte) []byte
	// BinaryValues says that intermediate values are bytes, even if they look like text.
	BinaryValues bool
}

// Ready returns cfg with what Prepare returns.
func (k *Kind) Ready(ctx context.Context, cfg Config) (_ Config, err error) {
	if k.Prepare != nil {
		cfg.Prepared, err = k.Prepare(ctx, cfg)
	}
	return cfg, err
}

// Kinds is a table of kinds. If several fit a program file, the first one counts.
type Kinds []Kind

// Find returns the kind of a name.
func (k Kinds) Find(name string) (*Kind, error) {
	for i := range k {
		if k[i].Name == name {
			return &k[i], nil
		}
	}
	_, err := k.Jobs().Find(name)
	return nil, err
}

// Named returns the kind that knows a program by that name, or nil.
func (k Kinds) Named(program string) *Kind {
	for i := range k {
		if k[i].Origin == job.OriginName && slices.ContainsFunc(k[i].Programs(), func(info Info) bool { return info.Name == program }) {
			return &k[i]
		}
	}
	return nil
}

// Programs returns the descriptions of programs that kinds of these origins have.
func (k Kinds) Programs(origins ...job.Origin) (infos []Info) {
	for i := range k {
		if k[i].Programs != nil && slices.Contains(origins, k[i].Origin) {
			infos = append(infos, k[i].Programs()...)
		}
	}
	return infos
}

// Jobs returns what controllers and the HTTP API know about the kinds.
func (k Kinds) Jobs() job.Kinds {
	kinds := make(job.Kinds, len(k))
	for i := range k {
		kinds[i] = k[i].Kind
	}
	return kinds
}

// Open returns the program of spec; see Kind.Open.
func (k Kinds) Open(cfg Config, spec Spec, file string) (Program, error) {
	kind, err := k.Find(spec.Kind)
	if err != nil {
		return nil, err
	}
	return kind.Open(cfg, spec, file)
}

// Check finds out whether the program can run at all, as far as that is possible without data. For
// a builtin it checks the parameters; for Python, that the file loads and has its functions; for an
// executable, that it speaks the protocol; for commands, that their programs exist. A fault of the
// program is a UserError.
func (k Kinds) Check(ctx context.Context, cfg Config, spec Spec, file string) error {
	p, err := k.Open(cfg, spec, file)
	if err != nil {
		return err
	}
	if p, ok := p.(Checking); ok {
		return p.Check(ctx)
	}
	return nil
}

// Checking is what a Program may also implement, if it can find out without data whether it can
// run.
type Checking interface {
	Check(ctx context.Context) error
}

// SpecOf returns the program of a job's spec. Its files are the spec's sources, as the submitter
// has them.
func SpecOf(spec *job.Spec) Spec {
	s := Spec{
		Kind: spec.Kind, Name: spec.Program, Params: spec.Params,
		Commands: Commands{Mapper: spec.Mapper, Combiner: spec.Combiner, Reducer: spec.Reducer},
		MapOnly:  spec.Reducers != nil && *spec.Reducers == 0,
		Files:    make(map[string]string, len(spec.ProgramFiles)),
	}
	for _, f := range spec.ProgramFiles {
		s.Files[f.Name] = f.Source
	}
	return s
}

// Commands are those of a streaming program. Only Mapper is required.
type Commands struct {
	Mapper, Combiner, Reducer string
}
