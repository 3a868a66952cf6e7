package edit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDotenv(t *testing.T) {
	for _, c := range []struct {
		name, in       string
		want, problems []string
	}{
		{"nothing", "", nil, nil},
		{"plain", "A=1\nB = two words \nexport C=3\n", []string{"1 A=1", "2 B=two words", "3 C=3"}, nil},
		{"comments", "# A=1\n\n  # x\nB=2 # why\nC=a#b\nD=#none\n", []string{"4 B=2", "5 C=a#b", "6 D="}, nil},
		{"no end of line", "A=1", []string{"1 A=1"}, nil},
		{"BOM and CRLF", "\xEF\xBB\xBFA=1\r\nB='x\r\ny'\r\nC=\"z\"\r\n", []string{"1 A=1", "2 B=x\ny", "4 C=z"}, nil},
		{"single quotes", `A='a "b" $C \n # d'`, []string{`1 A=a "b" $C \n # d`}, nil},
		{"double quotes", `A="a\nb\t\"c\" \$D \\ \x # e" # f`, []string{"1 A=a\nb\t\"c\" $D \\ \\x # e"}, nil},
		{"several lines", "A=\"1\n2\"\nB='3\n\n4'\nC=5\n", []string{"1 A=1\n2", "3 B=3\n\n4", "6 C=5"}, nil},
		{"commands", "A=$(id)\nB=\"a $(id)\"\nC='$(id)'\n", []string{"3 C=$(id)"}, []string{"line 1: A: its value runs a command", "line 2: B: its value runs a command"}},
		{"dollars", "A=pa$$w\nB=5$\nC=a$ b\n", []string{"2 B=5$", "3 C=a$ b"}, []string{"line 1: A: its value refers"}},
		{"expansion", "A=${B}\nB=\"x $C\"\nC=$(id)\nD='$E'\n", []string{"4 D=$E"}, []string{"line 1: A:", "line 2: B:", "line 3: C:"}},
		{"again", "A=1\nB=2\nA=3\n", []string{"1 A=1", "2 B=2"}, []string{"line 3: A: line 1 sets it already"}},
		{"not an assignment", "A\n=1\n1A=2\nA B=3\nC=4\n", []string{"5 C=4"}, []string{"line 1: no assignment", "line 2: what", "line 3: what", "line 4: what"}},
		{"no closing quote", "A='1\nB=2\nC=\"3\nD=4\n", []string{"2 B=2", "4 D=4"}, []string{"line 1: A: its closing quote", "line 3: C: its closing quote"}},
		{"after the quote", "A='1' 2\nB='3'#\n", []string{"2 B=3"}, []string{"line 1: A: something follows"}},
		{"NUL", "A=1\x002\nB=3\n", []string{"2 B=3"}, []string{"line 1: A: its value holds a NUL"}},
		{"long", "A=" + strings.Repeat("x", 1<<20) + "\n", []string{"1 A=" + strings.Repeat("x", 1<<20)}, nil},
	} {
		vars, problems := Dotenv([]byte(c.in))
		var got, said []string
		for _, v := range vars {
			got = append(got, fmt.Sprintf("%d %s=%s", v.Line, v.Name, v.Value.Reveal()))
		}
		for i, p := range problems {
			text := p.String()
			if i < len(c.problems) && strings.HasPrefix(text, c.problems[i]) {
				text = c.problems[i]
			}
			said = append(said, text)
		}
		if !slices.Equal(got, c.want) || !slices.Equal(said, c.problems) {
			t.Errorf("%s: got %.200q, %q, want %.200q, %q", c.name, got, said, c.want, c.problems)
		}
	}
}

func FuzzDotenv(f *testing.F) {
	for _, s := range []string{"A=1\nB='2\n3'\n", "export C=\"x\\n$Y\"", "A='\n=\n\"", "\xEF\xBB\xBFA=\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		vars, problems := Dotenv(data)
		lines := strings.Count(string(data), "\n") + 1
		last := 0
		for _, v := range vars {
			if v.Line <= last || v.Line > lines || !isName(v.Name) {
				t.Errorf("%q at line %d of %d, after line %d", v.Name, v.Line, lines, last)
			}
			last = v.Line
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines {
				t.Errorf("%v of %d lines", p, lines)
			}
		}
	})
}
