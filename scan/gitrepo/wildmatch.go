package gitrepo

import "strings"

// wildmatch reports whether text matches a pattern of gitignore(5): "?", "*",
// "[…]" with ranges, classes and negation, and backslash escapes. With pathname
// set, none of these but "**" as a whole path component matches a slash.
// fold ignores the case of ASCII letters.
func wildmatch(pattern, text string, pathname, fold bool) bool {
	m := matcher{pathname: pathname, fold: fold, steps: maxWildSteps}
	return m.match(pattern, text, true)
}

// maxWildSteps bounds the work on one pattern and text, since several stars make
// backtracking exponential. Beyond it nothing matches: a file is then scanned
// rather than ignored.
const maxWildSteps = 1 << 20

type matcher struct {
	pathname, fold bool
	steps          int
}

// match is tried with atStart set where a component of the pattern begins.
func (m *matcher) match(p, t string, atStart bool) bool {
	for len(p) > 0 {
		if m.steps--; m.steps < 0 {
			return false
		}
		c := p[0]
		if c == '*' {
			return m.star(p, t, atStart)
		}
		if len(t) == 0 {
			return false
		}
		switch c {
		case '?':
			if m.pathname && t[0] == '/' {
				return false
			}
			p = p[1:]
		case '[':
			rest, ok := m.class(p[1:], t[0])
			if !ok || m.pathname && t[0] == '/' {
				return false
			}
			p = rest
		default:
			if c == '\\' {
				if p = p[1:]; len(p) == 0 {
					return false
				}
				c = p[0]
			}
			if m.lower(c) != m.lower(t[0]) {
				return false
			}
			p = p[1:]
		}
		atStart = c == '/'
		t = t[1:]
	}
	return len(t) == 0
}

// star matches a pattern that begins with one or more stars.
func (m *matcher) star(p, t string, atStart bool) bool {
	rest := strings.TrimLeft(p, "*")
	crosses := !m.pathname
	if m.pathname && len(p)-len(rest) >= 2 && atStart && (rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`)) {
		crosses = true
		// "**/" matches no component at all, too.
		if slash := strings.IndexByte(rest, '/'); slash >= 0 && m.match(rest[slash+1:], t, true) {
			return true
		}
	}
	if rest == "" {
		return crosses || !strings.Contains(t, "/")
	}
	for i := 0; ; i++ {
		if m.match(rest, t[i:], false) {
			return true
		}
		if m.steps < 0 || i == len(t) || !crosses && t[i] == '/' {
			return false
		}
	}
}

func (m *matcher) lower(c byte) byte {
	if m.fold && 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// class judges c by the bracket expression that p continues after its "[", and
// returns the pattern behind the "]". Without a "]" nothing matches.
func (m *matcher) class(p string, c byte) (rest string, ok bool) {
	negated := false
	if p != "" && (p[0] == '!' || p[0] == '^') {
		negated, p = true, p[1:]
	}
	found := false
	for first := true; ; first = false {
		if p == "" {
			return "", false
		}
		if p[0] == ']' && !first {
			return p[1:], found != negated
		}
		if strings.HasPrefix(p, "[:") {
			if end := strings.Index(p[2:], ":]"); end >= 0 && isWord(p[2:2+end]) {
				in, known := m.named(p[2:2+end], c)
				if !known {
					return "", false
				}
				found = found || in
				p = p[2+end+2:]
				continue
			}
		}
		var lo, hi byte
		if lo, p, ok = classByte(p); !ok {
			return "", false
		}
		hi = lo
		if len(p) >= 2 && p[0] == '-' && p[1] != ']' {
			if hi, p, ok = classByte(p[1:]); !ok {
				return "", false
			}
		}
		found = found || m.inRange(c, lo, hi)
	}
}

// classByte reads one byte of a bracket expression, escaped or not.
func classByte(p string) (byte, string, bool) {
	if p[0] != '\\' {
		return p[0], p[1:], true
	}
	if len(p) < 2 {
		return 0, "", false
	}
	return p[1], p[2:], true
}

func (m *matcher) inRange(c, lo, hi byte) bool {
	if lo <= c && c <= hi {
		return true
	}
	return m.fold && isAlpha(c) && lo <= c^0x20 && c^0x20 <= hi
}

func isWord(s string) bool {
	for i := range len(s) {
		if !isAlpha(s[i]) {
			return false
		}
	}
	return true
}

// named judges c by a POSIX class.
func (m *matcher) named(name string, c byte) (in, known bool) {
	lower, upper := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z'
	switch name {
	case "alpha":
		return lower || upper, true
	case "digit":
		return isDigit(c), true
	case "alnum":
		return lower || upper || isDigit(c), true
	case "lower":
		return lower || m.fold && upper, true
	case "upper":
		return upper || m.fold && lower, true
	case "xdigit":
		return unhex(c) < 16, true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "print":
		return ' ' <= c && c < 0x7f, true
	case "graph":
		return ' ' < c && c < 0x7f, true
	case "punct":
		return ' ' < c && c < 0x7f && !lower && !upper && !isDigit(c), true
	}
	return false, false
}
