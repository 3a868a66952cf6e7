// Package provider says what the services that issue and accept credentials can be asked
// for. Each is a package of its own below this one, and implements what it can: a
// Verifier, a Maker or an Issuer, a Revoker, and so on, found by type assertion.
//
// All methods may be called concurrently, end when their context does, and keep secrets
// out of their errors, which are of the type *Error. None retries what may have
// happened. A method that would change something twice is safe to call again where its
// comment says so; after a crash it will be.
package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/keywright/keywright/secret"
)

// Credential is what a provider accepts.
type Credential struct {
	ID     string                  // what the provider calls it, without being secret; may be empty
	Parts  map[string]secret.Value // by the names of Info.Parts
	Params map[string]string       // by the names of Info.Params: host, account…

	// Since is when the provider began to accept it, by our clock, for the successor of
	// one that died at that moment; zero if that is not known.
	Since time.Time

	// Found says that the address in Params is one that a scan found, and that nobody chose.
	Found bool
}

// Part is the value of a part; zero if there is none.
func (c Credential) Part(name string) secret.Value { return c.Parts[name] }

// Provider is a service that can be asked for something.
type Provider interface{ Info() Info }

// Info is what is known of a provider without asking it.
type Info struct {
	Name  string // as in a key's metadata: "postgres"
	Title string // "PostgreSQL"
	Page  string // where its credentials are managed by hand; may be empty

	Parts  []Part // of its keys, in the order in which they are asked for
	Params []Param

	// Admin says what the changes are made with, another key or the credential itself, and
	// what that must be allowed to. It is empty if the credential alone is enough.
	Admin string // "a role that may ALTER the user's"
	// Admins are the names of other providers whose keys changes may be made with, too.
	Admins []string
	// Itself says that whoever has a credential, and knows nothing else of it, may be able to
	// end it: Revoke is asked for that with the credential as the admin.
	Itself bool

	// Propagation is how long a change may take to be known everywhere. Within it, what
	// is refused may be accepted, and the reverse.
	Propagation time.Duration
	// Nonce says that a probe of a key that is in use may disturb its user.
	Nonce bool
	// Mute says that what is dead is refused in words that others are refused in, too: none is
	// ever called dead.
	Mute bool
	// Uses says that List tells when each credential was used last, if the credential that
	// asks may know.
	Uses bool
	// UseSpan is how long after a use that it tells of others are not told: of several
	// within it, LastUsed is the first. It is zero if nothing is known of that.
	UseSpan time.Duration
	// Local says that no service knows its credentials: nobody can be asked about one, and
	// nobody be told that it is over.
	Local bool
	// Lingers is what outlives a credential, and nobody ends.
	Lingers Lingers
	// Others is who else issues credentials that look the same, where a probe without a
	// host does not reach: "a server of your own". What is refused may be valid there. It is
	// empty if there are none.
	Others string
	// Revoking is what else a revocation does, for whoever is about to ask for one: a
	// sentence, "Its owner is told." It may be empty.
	Revoking string

	Sources []string // the documents that it was written after
	Tested  string   // what it was run against: "PostgreSQL 15", "a fake of the documentation"
}

// Lingers is what was opened with a credential and goes on being accepted when that has
// ended: sessions, tokens.
type Lingers struct {
	What    string        `json:"what,omitempty"`    // a noun phrase; empty if there is nothing
	Longest time.Duration `json:"longest,omitempty"` // after its end; zero if that is not known
}

// Part is a part of a provider's keys.
type Part struct {
	Name   string
	Public bool // it may be shown: a user's name, a key's id
}

// Param is something that a provider must know of a key.
type Param struct {
	Name     string
	Meaning  string // a noun phrase
	Required bool
	Default  string
	Server   bool // it says at which server the key is accepted; changes are made there
}

// State is what a probe says of a credential.
type State string

// The states. Only Dead is dead: all that a provider says for other reasons, too, is
// Unknown.
const (
	Alive     State = "alive"
	Narrow    State = "alive, with fewer rights" // accepted, and not for all that was tried
	Dead      State = "dead"                     // refused by the code for credentials that are not valid
	Elsewhere State = "of another environment"
	Blocked   State = "blocked by address"
	Skewed    State = "refused for the clock"
	Throttled State = "throttled"
	Unknown   State = "unknown"
)

// Lives reports whether the provider accepts the credential.
func (s State) Lives() bool { return s == Alive || s == Narrow }

// Probe is the answer to an attempt to use a credential.
type Probe struct {
	State State
	Code  string // the provider's own word: "28P01", "401 Bad credentials"; never a secret
	Who   Identity
	After time.Duration // when it may be asked again; zero if it did not say
}

// Identity is what a provider says of a credential. What it does not say is zero.
type Identity struct {
	Account  string    `json:"account,omitempty"`
	ID       string    `json:"id,omitempty"`
	Label    string    `json:"label,omitempty"`
	Scopes   []string  `json:"scopes,omitempty"` // sorted
	IPs      []string  `json:"ips,omitempty"`    // that it may be used from, sorted; empty for all
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Withdraw bool      `json:"withdraw,omitempty"` // it may move money out
}

// Verifier tries a credential, and changes nothing. The error says that no answer came;
// an answer that says no is a Probe.
type Verifier interface {
	Verify(ctx context.Context, c Credential) (Probe, error)
}

// Recognizer knows its credentials among what a scan finds.
type Recognizer interface {
	// Recognize makes a credential that can be verified of what the scan's rule of an id
	// found, whose parts are given by their roles. It reports false if the rule finds
	// something else, or if parts are missing. The provider's own hosts are in it, never
	// one that was found.
	Recognize(rule string, parts map[string]secret.Value) (Credential, bool)
}

// Planner looks, before anything is changed, whether a credential can be replaced, and
// how: rights that are missing and slots that are full are errors.
type Planner interface {
	Plan(ctx context.Context, admin, old Credential) (Plan, error)
}

// Plan is how a credential is replaced.
type Plan struct {
	// InPlace says that the old one dies as the new one is born.
	InPlace bool `json:"in_place,omitempty"`
	// Anew says that a new one can be issued when the old one is gone: nothing is taken
	// over from that at the provider.
	Anew bool `json:"anew,omitempty"`
	// Full says that there is no room for another beside the old one, and that the end of
	// that makes some; nil if there is room. Where that would not help it is an error.
	Full *Error `json:"-"`
	// Outage is what does not work for how long; empty if nothing.
	Outage string `json:"outage,omitempty"`
	// Needs is what the user has to bring: "a code of the authenticator".
	Needs []string `json:"needs,omitempty"`
	Notes []string `json:"notes,omitempty"`
	// Lingers is what outlives the old one, if that is known better than in general.
	Lingers *Lingers `json:"-"`
	// LastUsed is when the old one was used last, as far as the provider tells. To look is
	// a use, too, if it was done with the old one.
	LastUsed time.Time `json:"last_used,omitzero"`
}

// Maker is a provider of which a credential is made here. What Make returns is stored
// before Apply is called.
type Maker interface {
	// Make makes the successor of a credential, all parts of it, and asks nobody.
	Make(ctx context.Context, old Credential) (Credential, error)
	// Apply makes the provider accept a credential. Twice is as good as once.
	Apply(ctx context.Context, admin, old, next Credential) error
}

// Issuer is a provider that makes credentials itself. Until the result is stored, it is
// in memory alone. The lineage goes into the name or label of what is issued, where there
// is one, in either of its forms, and List shows it.
type Issuer interface {
	Issue(ctx context.Context, admin, old Credential, lineage Lineage) (Credential, error)
}

// Listed is a credential as a provider lists it, without its secret.
type Listed struct {
	Identity
	Created  time.Time
	Disabled bool
}

// Lister lists the credentials that stand beside one: all of them, or an error.
type Lister interface {
	List(ctx context.Context, admin, c Credential) ([]Listed, error)
}

// Disabler takes a credential out of use such that it can be taken back. Twice is as
// good as once.
type Disabler interface {
	Disable(ctx context.Context, admin, c Credential) error
	Enable(ctx context.Context, admin, c Credential) error
}

// Revoker ends a credential, for good, and what was opened with it where the provider
// can: sessions, tokens. The other is the one that goes on being used, and is not
// touched; zero if there is none. That it is gone already is no error, except at one that is
// mute. Of a credential
// whose secret is not known, ID names it. One that died when the other was born may have
// left sessions: those that began before the other's Since are ended, or all of them if
// that is not known.
type Revoker interface {
	Revoke(ctx context.Context, admin, c, other Credential) error
}

// Guide says how a credential is replaced by hand where a provider has no way to do it.
type Guide interface {
	Guide(old Credential) Steps
}

// Steps are what somebody does at the provider's pages.
type Steps struct {
	IssueAt  string   // the address of the page
	Issue    []string // what to choose there, a sentence each
	RevokeAt string
	Revoke   []string
}

// Kind is why a provider did not do what it was asked for.
type Kind string

// The kinds of errors.
const (
	Refused    Kind = "refused"             // it understood, and said no
	Forbidden  Kind = "not permitted"       // the credential that asks may not do this
	NoSlot     Kind = "no room for another" // as many credentials as it takes are there
	Busy       Kind = "throttled"           // later
	Unreached  Kind = "not reached"         // nothing was sent
	Unclear    Kind = "no clear answer"     // it may have happened
	Malformed  Kind = "answered with nonsense"
	Incomplete Kind = "not told enough" // a part or a parameter is missing
)

// Error is an error of a provider. It holds no secret.
type Error struct {
	Provider string
	Doing    string // "change the password of role app"
	Kind     Kind
	Code     string        // the provider's own; may be empty
	After    time.Duration // when it may be asked again; zero if it did not say
	Hint     string        // what to do about it; may be empty
	Err      error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s: %s", e.Provider, e.Doing, e.Kind)
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }
