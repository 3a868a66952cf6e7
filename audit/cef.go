package audit

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"
)

// CEF is the entry as a line of ArcSight's Common Event Format, without a line break;
// version is that of the program that prints it.
//
// Source: "ArcSight Common Event Format (CEF) Implementation Standard", version 0.1 of
// the dictionary, https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors-8.3/cef-implementation-standard/.
// A line is UTF-8. In the header a backslash and a pipe are written behind a backslash;
// in the extension a backslash and an equals sign are, a pipe is not, and line breaks are
// written \n and \r. That page says nothing of other control characters: they become
// U+FFFD here. Texts are cut to the lengths in its dictionary, and end in "…" then.
func (e Entry) CEF(version string) string {
	verb := cmp.Or(e.Verb, "entry")
	severity := "3" // low; of ten
	if e.Decision == Refused {
		severity = "6"
	}
	header := []string{"CEF:0", "keywright", "keywright", version, verb, strings.TrimSpace(verb + " " + e.outcome()), severity}
	for i, field := range header {
		header[i] = cefHeader.Replace(cefText(field, maxText))
	}
	var extension []string
	add := func(key, value string, limit int) {
		if value != "" {
			extension = append(extension, key+"="+cefValue.Replace(cefText(value, limit)))
		}
	}
	label := func(key, name, value string) {
		if value != "" {
			add(key+"Label", name, 1023)
			add(key, value, 4000)
		}
	}
	add("rt", strconv.FormatInt(e.Time.UnixMilli(), 10), 40)
	add("externalId", strconv.FormatInt(e.Seq, 10), 40)
	add("act", verb, 63)
	add("outcome", e.outcome(), 63)
	add("suser", e.User, 1023)
	add("shost", e.Host, 1023)
	add("sproc", e.Process, 1023)
	add("reason", e.Reason, 1023)
	label("cs1", "key", e.Key)
	label("cs2", "version", e.Version)
	label("cs3", "environment", e.Environment)
	label("cs4", "parent", e.Parent)
	label("cs5", "installation", e.Installation)
	label("cs6", "follows", e.Follows)
	if e.Of != nil {
		label("cn1", "of", strconv.FormatInt(*e.Of, 10))
	}
	if e.Child != nil {
		add("dpid", strconv.Itoa(e.Child.PID), 40)
	}
	return strings.Join(header, "|") + "|" + strings.Join(extension, " ")
}

func (e Entry) outcome() string { return cmp.Or(e.Result, string(e.Decision)) }

var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ")
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
)

// cefText is a text of at most so many bytes without control characters but line breaks.
func cefText(s string, limit int) string {
	return bound(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\r' {
			return unicode.ReplacementChar
		}
		return r
	}, s), limit)
}
