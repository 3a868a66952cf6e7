package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// answer is what anything that speaks HTTP may answer, in the place of a service.
type answer struct {
	name   string
	status int
	header http.Header
	body   string
	cut    bool // the body ends before its end
	none   bool // there is none
	gone   bool // there is nobody any more to ask
	unsure bool // whether it was done cannot be told from it
}

// again is when a service that is asked too often wants to be asked again.
const again = 7 * time.Second

// answers are those that docs/deviations.md has a standard for. None is in the form of the
// service's own, and all quote what is not to be shown.
func answers() []answer {
	words := fmt.Sprintf(`{"message":%q,"error":{"message":%q,"code":%q},"errors":[{"message":%q}]}`, Marked, Marked, Marked, Marked)
	return []answer{
		{name: "400", status: 400, body: words},
		{name: "401", status: 401, body: words},
		{name: "403", status: 403, body: words},
		{name: "404", status: 404, body: words},
		{name: "409", status: 409, body: words},
		{name: "429", status: 429, body: words, header: http.Header{"Retry-After": {fmt.Sprint(again.Seconds())}}},
		{name: "500", status: 500, body: words, unsure: true},
		{name: "503", status: 503, body: "<html>" + Marked, unsure: true},
		{name: "a page", status: 200, body: "<html>" + Marked, header: http.Header{"Content-Type": {"text/html"}}, unsure: true},
		{name: "{}", status: 200, body: "{}", header: http.Header{"Content-Type": {"application/json"}}, unsure: true},
		{name: "nothing", status: 200, unsure: true},
		{name: "half", status: 200, body: `{"id":"` + Marked, cut: true, unsure: true},
		{name: "no answer", none: true, unsure: true},
		{name: "nobody", gone: true},
		{name: "307", status: 307, header: http.Header{"Location": {"https://example.com/" + Marked}}},
	}
}

// refused is the name of the answer that the service itself gives to a key that is dead.
const refused = "refused"

// write gives an answer.
func (a answer) write(w http.ResponseWriter) {
	if a.none {
		HangUp(w, nil)
	}
	maps.Copy(w.Header(), a.header)
	if a.cut {
		w.Header().Set("Content-Length", fmt.Sprint(len(a.body)+10))
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

// asked is a request that went through a between.
type asked struct {
	method string
	what   string // the path and the body, by which it is known again
}

func (a asked) String() string { return a.method + " " + a.what }

// between stands between a provider and its server, and may answer in the place of that.
type between struct {
	addr string
	stop func() // takes no connections any more

	mu    sync.Mutex
	asked []asked
	last  answer // the server's
	at    int    // the request that is answered here, and those that are like it; none if negative
	with  answer
	done  bool // the server is asked all the same
	given int  // how often it was answered here
}

// stand starts a between, which ends with the test.
func stand(t *testing.T, server string) *between {
	t.Helper()
	b := &between{at: -1}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serve(t, server, w, r) }))
	s.Config.SetKeepAlivesEnabled(false)
	t.Cleanup(s.Close)
	b.addr, b.stop = s.Listener.Addr().String(), func() { s.Listener.Close() }
	return b
}

func (b *between) serve(t *testing.T, server string, w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	a := asked{r.Method, r.URL.Path + " " + string(body)}
	b.asked = append(b.asked, a)
	here := b.at >= 0 && len(b.asked) > b.at && b.asked[b.at] == a
	if here {
		b.given++
		if !b.done {
			b.with.write(w)
			return
		}
	}
	got, err := pass(r, server, body)
	if err != nil {
		t.Errorf("%s: %v", a, err)
		return
	}
	b.last = got
	switch {
	case here:
		got = b.with
	case b.with.gone && len(b.asked) == b.at:
		b.leave()
	}
	got.write(w)
}

// leave has nobody listen from now on.
func (b *between) leave() {
	b.stop()
	b.given++
}

// pass asks the server itself.
func pass(r *http.Request, server string, body []byte) (answer, error) {
	out, err := http.NewRequest(r.Method, "http://"+server+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	out.Host, out.Header = r.Host, r.Header.Clone()
	resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(out)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{name: refused, status: resp.StatusCode, header: resp.Header, body: string(text)}, err
}

// run makes a call with one of its requests answered here. It returns what the call comes
// to, in the words of docs/deviations.md, and all requests.
func (s Subject) run(t *testing.T, c provider.Credential, call call, at int, with answer, done bool) (then string, requests []asked) {
	t.Helper()
	b := stand(t, s.Addr)
	b.at, b.with, b.done = at, with, done
	if with.gone && at == 0 {
		b.leave()
	}
	p, through := s.At(b.addr, c)
	_, admin := s.At(b.addr, s.Admin)
	probe, err := call.do(t.Context(), p, through, admin)
	s.checkError(t, call.name, err, c)
	for _, err := range unwrapped(err) {
		if text := fmt.Sprintf("%+v %v %+v %#v", probe, err, err, err); strings.Contains(text, Marked) {
			t.Errorf("%s meets %s: it shows a secret: %s", call.name, with.name, text)
		}
	}
	var e *provider.Error
	switch {
	case errors.As(err, &e) && e.Kind == provider.Busy && with.name == "429" && e.After != again:
		then = fmt.Sprintf("%s, and not until when", e.Kind)
	case e != nil:
		then = string(e.Kind)
	case err != nil:
		then = "an error of no kind"
	case call.name == "verify" && probe.State == provider.Throttled && with.name == "429" && probe.After != again:
		then = fmt.Sprintf("%s, and not until when", probe.State)
	case call.name == "verify":
		then = string(probe.State)
	default:
		then = "no error"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if at >= 0 && b.given == 0 {
		t.Errorf("%s: it did not ask a second time as it did the first", call.name)
	}
	return then, b.asked
}

// Answers puts every answer in the place of every request of every call, and compares what
// the call comes to with the standard in docs/deviations.md, and with what is listed there of
// the provider. Whatever deviates is to be listed, with a reason; what is listed is to
// happen.
func Answers(t *testing.T, s Subject) {
	page := readPage(t)
	seen := map[row]bool{}
	all := answers()
	if a, ok := s.refusal(t); ok {
		all = append(all, a)
	}
	tried := 0 // answers to requests
	for n, named := range s.calls(t, s.New(t)) {
		for _, step := range s.steps(t, n, named.name) {
			for _, a := range all {
				for _, done := range []bool{false, true} {
					if done && (!a.unsure || step.phase != named.name || reads(named.name)) {
						continue
					}
					tried++
					c := s.fresh(t, named.name)
					then, requests := s.run(t, c, s.calls(t, c)[n], step.at, a, done)
					r := row{call: step.phase, meets: a.name, then: then}
					if done {
						r.meets += ", and it was done"
					}
					if want := page.standard(step.phase, a.name); then != want {
						seen[r] = true
					}
					if twice(requests, step) {
						t.Errorf("%s meets %s: it asks for a change twice: %v", r.call, r.meets, requests)
					}
				}
			}
		}
	}
	if tried == 0 {
		t.Fatal("no request came by: nothing is tested")
	}
	name := s.Page
	if name == "" {
		name = s.Provider.Info().Name
	}
	for _, wrong := range page.compare(name, seen) {
		t.Errorf("docs/deviations.md, %s: %s", name, wrong)
	}
}

// refusal is what the server answers to a key that is dead; false if that cannot be had.
func (s Subject) refusal(t *testing.T) (answer, bool) {
	if _, ok := s.Provider.(provider.Verifier); !ok {
		return answer{}, false
	}
	c := s.New(t)
	if r, ok := s.Provider.(provider.Revoker); ok && !s.InPlace {
		s.check(t, "revoke", r.Revoke(t.Context(), s.Admin, c, provider.Credential{}), c)
	} else {
		c = s.other(c, s.secrets()[0])
	}
	b := stand(t, s.Addr)
	p, through := s.At(b.addr, c)
	_, err := p.(provider.Verifier).Verify(t.Context(), through)
	s.check(t, "verify", err, c)
	b.last.header = http.Header{"Content-Type": b.last.header["Content-Type"]}
	return b.last, b.last.name != ""
}

// fresh is a credential for a call.
func (s Subject) fresh(t *testing.T, name string) provider.Credential {
	t.Helper()
	c := s.New(t)
	if name == "enable" {
		s.check(t, "disable", s.Provider.(provider.Disabler).Disable(t.Context(), s.Admin, c), c)
	}
	return c
}

// step is a request of a call.
type step struct {
	asked
	at    int
	phase string // "issue", "before issue", "after issue"
}

func reads(name string) bool { return name == "verify" || name == "plan" || name == "list" }

// steps are the requests of a call when all goes well, each once. One that changes something
// is one that is sent neither to look at a key nor with a method that is for reading. All
// that come after the first of these are after the change, others of them, too.
func (s Subject) steps(t *testing.T, n int, name string) (all []step) {
	t.Helper()
	c := s.fresh(t, name)
	calls := s.calls(t, c)
	var looks []asked
	for _, call := range calls {
		if reads(call.name) {
			_, asked := s.run(t, c, call, -1, answer{}, false)
			looks = append(looks, asked...)
		}
	}
	then, requests := s.run(t, c, calls[n], -1, answer{}, false)
	if then != "no error" && then != string(provider.Alive) {
		t.Fatalf("%s, with nothing in its way: %s", name, then)
	}
	phase := "before " + name
	seen := map[string]bool{}
	for i, a := range requests {
		st := step{a, i, phase}
		switch {
		case reads(name):
			st.phase = name
		case strings.HasPrefix(phase, "after"):
		case a.method != http.MethodGet && a.method != "LIST" && !slices.Contains(looks, a) && !s.looks(a):
			st.phase, phase = name, "after "+name
		}
		if once := st.phase + " " + a.String(); !seen[once] {
			seen[once] = true
			all = append(all, st)
		}
	}
	return all
}

// looks reports whether a request is one that is known to look only.
func (s Subject) looks(a asked) bool {
	path, _, _ := strings.Cut(a.what, " ")
	return slices.Contains(s.Looks, a.method+" "+path)
}

// twice reports whether a change was asked for more than once.
func twice(requests []asked, s step) bool {
	if strings.Contains(s.phase, " ") || reads(s.phase) || s.at >= len(requests) {
		return false
	}
	n := 0
	for _, a := range requests {
		if a == requests[s.at] {
			n++
		}
	}
	return n > 1
}

// row is a line of a provider's table: a call meets an answer.
type row struct{ call, meets, then string }

// table writes rows as they stand in the page, those that differ in what is met in one line.
func table(rows []row) string {
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.call+a.then+a.meets, b.call+b.then+b.meets) })
	var b strings.Builder
	for i := 0; i < len(rows); {
		r := rows[i]
		var meets []string
		for ; i < len(rows) && rows[i].call == r.call && rows[i].then == r.then; i++ {
			meets = append(meets, rows[i].meets)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |  |\n", r.call, strings.Join(meets, "; "), r.then)
	}
	return b.String()
}

// compare returns what is wrong with the section of a provider whose deviations were seen.
func (p page) compare(name string, seen map[row]bool) (wrong []string) {
	listed, ok := p.deviations[name]
	if !ok {
		return []string{"there is no such section"}
	}
	var missing []row
	for r := range seen {
		if _, ok := listed[r]; !ok {
			missing = append(missing, r)
		}
	}
	if len(missing) > 0 {
		wrong = append(wrong, "it does not say:\n"+table(missing))
	}
	for r, reason := range listed {
		switch {
		case !seen[r]:
			wrong = append(wrong, fmt.Sprintf("it says what does not happen: %s meets %s: %s", r.call, r.meets, r.then))
		case reason == "":
			wrong = append(wrong, fmt.Sprintf("it gives no reason: %s meets %s: %s", r.call, r.meets, r.then))
		}
	}
	return wrong
}

// standard is the section of docs/deviations.md that the others deviate from.
const standard = "The standard"

// page is docs/deviations.md.
type page struct {
	columns    []string            // of the standard, without the first
	rows       map[string][]string // by answer
	deviations map[string]map[row]string
}

// readPage reads docs/deviations.md, from whatever package of the module.
func readPage(t *testing.T) page {
	t.Helper()
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Fatal("there is no go.mod above this")
		}
		root = filepath.Dir(root)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "deviations.md"))
	if err != nil {
		t.Fatal(err)
	}
	return parsePage(string(text))
}

// parsePage reads the tables: that of the standard, and those with four columns, of whose
// first two each cell holds one or several that are separated by semicolons.
func parsePage(text string) page {
	p := page{rows: map[string][]string{}, deviations: map[string]map[row]string{}}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = name
			p.deviations[name] = map[row]string{}
			continue
		}
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
		}
		switch {
		case section == standard && p.columns == nil:
			p.columns = cells[1:]
		case section == standard:
			p.rows[cells[0]] = cells[1:]
		case len(cells) == 4 && cells[0] != "call":
			for call := range strings.SplitSeq(cells[0], "; ") {
				for meets := range strings.SplitSeq(cells[1], "; ") {
					p.deviations[section][row{call, meets, cells[2]}] = cells[3]
				}
			}
		}
	}
	return p
}

// standard is what a call comes to, by the page.
func (p page) standard(phase, meets string) string {
	column := "change"
	switch before, _, ok := strings.Cut(phase, " "); {
	case phase == "verify":
		column = "verify"
	case reads(phase) || ok && before == "before":
		column = "look"
	case ok:
		column = "after"
	}
	if i := slices.Index(p.columns, column); i >= 0 && i < len(p.rows[meets]) {
		return p.rows[meets][i]
	}
	return ""
}
