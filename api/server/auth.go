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

// Role is what a token's holder may do; each role may also do what those before it may.
type Role int

// The roles. The zero Role is that of somebody without a token.
const (
	RoleNone   Role = iota
	RoleRead        // look at jobs, executors and objects
	RoleSubmit      // submit, cancel and retry jobs, write objects
	RoleAdmin       // delete objects, look into the work store
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

// Token admits whoever knows its secret, of which only a hash is kept. Secrets must be long
// and random (32 hex digits, say): nothing slows down guessing but the limit on requests.
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

// ParseTokens reads lines of "NAME ROLE sha256:HEX". Empty lines and those that start with #
// are passed over. What it returns is not nil, also if there is no token.
func ParseTokens(text string) ([]Token, error) {
	tokens := []Token{}
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) { // editors may begin a file with that mark
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
		return sum, fmt.Errorf("the hash of token %s is not sha256: and 64 hex digits", t.Name) // and not shown: it may be the secret
	}
	return sum, nil
}

// caller is who makes a request.
type caller struct {
	name string // "anonymous" where no tokens are configured
	role Role
}

// gate tells callers by their tokens.
type gate struct {
	open   bool                  // everybody may do everything
	tokens atomic.Pointer[[]key] // unless it is open
}

// key is a token as it is compared with.
type key struct {
	Token
	sum [sha256.Size]byte
}

// errNoTokens is that a server was told to ask for tokens, and has none.
var errNoTokens = errors.New("there is no token: nobody could be admitted")

// newGate makes the gate of a server with tokens or, if they are nil, of one that asks for none.
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

// replace admits the holders of these tokens from now on, and nobody else.
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

// SetTokens admits the holders of these tokens from the next request on, and nobody else: nobody at all where there
// are none. A server that was made without tokens stays open to everybody, and says so with an error.
func (s *Server) SetTokens(tokens []Token) error {
	if s.gate.open {
		return errors.New("the server asks for no tokens")
	}
	return s.gate.replace(tokens)
}

// identify finds the caller by the header Authorization. It takes the same time whichever
// token it is, and whether it is one.
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
		return caller{}, newProblem(api.CodeUnauthorized, "the token is not known")
	}
	return caller{name: found.Name, role: found.Role}, nil
}

// callerKey is where a request's context holds its caller.
const callerKey = "caller"

func callerOf(c echo.Context) caller {
	who, _ := c.Get(callerKey).(caller) // the zero caller may do nothing
	return who
}

// require lets a route be used by those only who have the role. RoleNone opens it to all.
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
			refusal := newProblem(api.CodeForbidden, "this takes the role %s; the token's is %s", role, who.role)
			s.audit.rejected(c, refusal)
			return refusal
		}
		return next(c)
	}
}
