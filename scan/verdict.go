package scan

// A Verdict is a rule's answer at an anchor of an object: a match, with offsets
// into the object's view. It holds no bytes of the object.
type Verdict struct {
	Rule       *Rule
	Parts      []Span // the part with RoleSecret first
	Confidence Confidence
	Proof      Proof
	Allowed    bool // an allow-comment stands on the line
	Reasons    []string
	PublicID   string

	// Held are the keys that the user holds of which the match is one, by their
	// numbers in the engine's set. Via is how the value is encoded, if it is.
	Held []int32
	Via  string

	// Anchor is where the rule was asked; [DepStart, DepEnd) are the bytes that
	// the answer depends on, with DepStart -1 or DepEnd len+1 where it depends on
	// the object starting or ending there.
	Anchor, DepStart, DepEnd int
}

// Secret is the span of the confidential part.
func (v *Verdict) Secret() Span { return v.Parts[0] }

// A Copy says that Len bytes of an object, from Start, are the same bytes as its
// base's, from Base.
type Copy struct{ Base, Start, Len int }
