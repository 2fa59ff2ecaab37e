package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/api"
	"github.com/labstack/echo/v4"
)

// Role is what the holder of a token may do. Each role includes the ones before it.
type Role int

// The roles. The zero Role is that of a caller without a token.
const (
	RoleNone   Role = iota
	RoleRead        // look at jobs, executors and objects
	RoleSubmit      // submit, cancel and retry jobs, write objects
	RoleAdmin       // delete objects, read the work store
)

var roleNames = []string{"none", "read", "submit", "admin"}

func (r Role) String() string {
	if r < 0 || int(r) >= len(roleNames) {
		return fmt.Sprintf("Role(%d)", int(r))
	}
	return roleNames[r]
}

// ParseRole reads "read", "submit" or "admin".
func ParseRole(text string) (Role, error) {
	for i, name := range roleNames {
		if text == name && Role(i) != RoleNone {
			return Role(i), nil
		}
	}
	return RoleNone, fmt.Errorf("%q is not a role: read, submit or admin", text)
}

// Token admits every caller that knows its secret. Only a hash of the secret is kept. Secrets must
// be long and random (32 hex digits, say): only the limit on requests slows down guessing.
type Token struct {
	Name string // of the holder, for logs
	Role Role
	Hash string // see HashToken
}

const hashPrefix = "sha256:"

// HashToken returns a secret's hash, "sha256:" and 64 hex digits.
func HashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// ParseTokens reads lines of "NAME ROLE sha256:HEX". It skips empty lines and lines that start with
// #. The list that it returns is not nil, even if it is empty.
func ParseTokens(text string) ([]Token, error) {
	tokens := []Token{}
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) { // editors may begin a file with this mark
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d of tokens: want NAME ROLE sha256:HEX", n)
		}
		role, err := ParseRole(fields[1])
		if err != nil {
			return nil, fmt.Errorf("line %d of tokens: %w", n, err)
		}
		token := Token{Name: fields[0], Role: role, Hash: fields[2]}
		if _, err := token.sum(); err != nil {
			return nil, fmt.Errorf("line %d of tokens: %w", n, err)
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

func (t Token) sum() (sum [sha256.Size]byte, err error) {
	digits, ok := strings.CutPrefix(t.Hash, hashPrefix)
	if n, err := hex.Decode(sum[:], []byte(digits[:min(len(digits), 2*sha256.Size)])); !ok || err != nil || n != sha256.Size || len(digits) != 2*sha256.Size {
		return sum, fmt.Errorf("the hash of token %s is not sha256: and 64 hex digits", t.Name) // which is not shown: it may be the secret
	}
	return sum, nil
}

// caller is the holder of the token of a request.
type caller struct {
	name string // "anonymous" where no tokens are configured
	role Role
}

// gate identifies callers by their tokens.
type gate struct {
	open   bool                  // no token is needed: everybody may do everything
	tokens atomic.Pointer[[]key] // nil if the gate is open
}

// key is a token, ready for comparison.
type key struct {
	Token
	sum [sha256.Size]byte
}

// errNoTokens says that a server must ask for tokens, and has none.
var errNoTokens = errors.New("there is no token, so nobody could use the server")

// newGate makes the gate of a server with tokens or, if they are nil, of a server that asks for
// none.
func newGate(tokens []Token) (*gate, error) {
	g := &gate{open: tokens == nil}
	if g.open {
		return g, nil
	}
	if len(tokens) == 0 {
		return nil, errNoTokens
	}
	return g, g.replace(tokens)
}

// replace replaces all tokens.
func (g *gate) replace(tokens []Token) error {
	keys := make([]key, 0, len(tokens))
	for _, t := range tokens {
		if t.Role < RoleRead || t.Role > RoleAdmin {
			return fmt.Errorf("token %s has no role", t.Name)
		}
		sum, err := t.sum()
		if err != nil {
			return err
		}
		keys = append(keys, key{t, sum})
	}
	g.tokens.Store(&keys)
	return nil
}

// SetTokens replaces all tokens, from the next request on. An empty list admits nobody. It fails
// for a server that was made without tokens, which stays open to everybody.
func (s *Server) SetTokens(tokens []Token) error {
	if s.gate.open {
		return errors.New("the server asks for no tokens")
	}
	return s.gate.replace(tokens)
}

// identify finds the caller by the header Authorization. It takes the same time for all tokens,
// known or not.
func (g *gate) identify(header string) (caller, error) {
	if g.open {
		return caller{name: "anonymous", role: RoleAdmin}, nil
	}
	scheme, secret, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return caller{}, newProblem(api.CodeUnauthorized, "the request has no bearer token")
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(secret)))
	var found *key
	keys := *g.tokens.Load()
	for i := range keys {
		if subtle.ConstantTimeCompare(sum[:], keys[i].sum[:]) == 1 {
			found = &keys[i]
		}
	}
	if found == nil {
		return caller{}, newProblem(api.CodeUnauthorized, "the token is unknown")
	}
	return caller{name: found.Name, role: found.Role}, nil
}

// callerKey is the key of a request's caller in its context.
const callerKey = "caller"

func callerOf(c echo.Context) caller {
	who, _ := c.Get(callerKey).(caller) // the zero caller may do nothing
	return who
}

// require lets only callers with the role use a route. RoleNone lets every caller.
func (s *Server) require(role Role, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if role == RoleNone {
			return next(c)
		}
		who, err := s.gate.identify(c.Request().Header.Get(echo.HeaderAuthorization))
		if err != nil {
			s.audit.rejected(c, err)
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="bucketmill"`)
			return err
		}
		c.Set(callerKey, who)
		if who.role < role {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate,
				fmt.Sprintf(`Bearer realm="bucketmill", error="insufficient_scope", scope="%s"`, role))
			refusal := newProblem(api.CodeForbidden, "this requires the role %s; the token has the role %s", role, who.role)
			s.audit.rejected(c, refusal)
			return refusal
		}
		return next(c)
	}
}
