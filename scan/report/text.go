package report

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/dustin/go-humanize"
	"github.com/muesli/termenv"

	"github.com/keywright/keywright/scan"
)

// The measures of the screen, in columns and lines.
const (
	defaultWidth = 80
	minWidth     = 40
	gutter       = 2  // before every line of a block, and between columns
	indent       = 4  // of continued lines
	lastColumn   = 12 // "history only"
	middleColumn = 34 // a short commit id, an author and a date
	maxAuthor    = 24
	maxInline    = 64 // a longer secret stands on a line of its own
	maxPlaces    = 3
	maxGaps      = 10
	shortCommit  = 7
)

func writeText(b *bytes.Buffer, r *scan.Report, o Options) error {
	s := newScreen(b, o)
	blocks := make([]block, len(r.Findings))
	for i, f := range r.Findings {
		blocks[i] = s.block(f)
	}
	s.setColumns(blocks)
	for _, block := range blocks {
		s.print(block)
		s.line("")
	}
	s.notes(r)
	s.line(s.summary(r))
	return nil
}

// screen lays out lines of a width. Text given to its methods is escaped already.
type screen struct {
	out     *bytes.Buffer
	o       Options
	width   int
	columns [2]int // where the middle and the last column of a row begin
	noted   bool   // a note was printed

	plain, title, faint, arrow, good, bad lipgloss.Style
	level                                 map[scan.Confidence]lipgloss.Style
}

func newScreen(b *bytes.Buffer, o Options) *screen {
	profile := termenv.Ascii
	if o.Colour {
		profile = termenv.ANSI
	}
	re := lipgloss.NewRenderer(b, termenv.WithProfile(profile))
	re.SetColorProfile(profile)
	colour := func(c string) lipgloss.Style { return re.NewStyle().Foreground(lipgloss.Color(c)) }
	red, green, yellow, cyan := colour("1"), colour("2"), colour("3"), colour("6")
	faint := re.NewStyle().Faint(true)
	width := o.Width
	if width == 0 {
		width = defaultWidth
	}
	return &screen{
		out: b, o: o, width: max(width, minWidth),
		plain: re.NewStyle(), title: re.NewStyle().Bold(true), faint: faint, arrow: cyan, good: green, bad: yellow,
		level: map[scan.Confidence]lipgloss.Style{
			scan.Certain: red, scan.High: red, scan.Medium: yellow, scan.Low: faint,
		},
	}
}

// A block is what is shown of one finding.
type block struct {
	rows  []row    // the title, then the places
	plain []string // between the title and the places
	rest  []string // after the places
	mark  string
}

// A row has three cells. The style of each is applied after it is measured.
type row struct {
	cells  [3]string
	styles [3]lipgloss.Style
}

func (s *screen) block(f scan.Finding) block {
	level := s.level[f.Confidence]
	secret, lines := s.secret(f)
	out := block{
		mark:  level.Render("●"),
		rows:  []row{{[3]string{Escape(f.Rule.Title), secret, f.Confidence.String()}, [3]lipgloss.Style{s.title, s.plain, level}}},
		plain: append(lines, s.about(f)...),
	}
	places := nearestFirst(f.Places)
	shown := places
	if !s.o.Verbose && len(places) > maxPlaces {
		shown = places[:maxPlaces]
	}
	for _, p := range shown {
		cells := [3]string{Escape(location(p)), s.origin(p), status(p)}
		out.rows = append(out.rows, row{cells, [3]lipgloss.Style{s.plain, s.faint, s.faint}})
	}
	if more := morePlaces(places[len(shown):]); more != "" {
		out.rest = append(out.rest, s.faint.Render(more))
	}
	for _, h := range f.Held {
		if h.Version == "current" {
			out.rest = append(out.rest, s.arrow.Render("→")+" keywright rotate "+Escape(h.Key)+" --emergency")
		}
	}
	if f.Rule.Fix != "" {
		out.rest = append(out.rest, s.hang(s.plain, s.arrow.Render("→")+" ", Escape(f.Rule.Fix)))
	}
	if f.Fingerprint != "" {
		out.rest = append(out.rest, s.faint.Render(Escape(f.Fingerprint)))
	}
	return out
}

// secret returns what stands beside the title and, where the secret itself is
// wanted and does not fit there, the lines that follow.
func (s *screen) secret(f scan.Finding) (cell string, lines []string) {
	if !s.o.ShowSecrets || f.Secret.IsZero() {
		return Escape(f.Redacted), nil
	}
	text := strings.TrimRight(string(f.Secret.Reveal()), "\r\n")
	if len(text) <= maxInline && !strings.Contains(text, "\n") {
		return Escape(text), nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, "  "+Escape(strings.TrimSuffix(line, "\r")))
	}
	return "", lines
}

// about returns what is known of the secret beside its places: what it belongs
// to, its other parts, and why it was judged so.
func (s *screen) about(f scan.Finding) []string {
	var facts []string
	shown := false
	for _, p := range f.Parts {
		if p.Role != scan.RoleSecret {
			facts = append(facts, Escape(p.Role+" "+p.Redacted))
			shown = shown || p.Public && p.Redacted == f.PublicID
		}
	}
	if f.PublicID != "" && !shown {
		facts = append([]string{"belongs to " + Escape(f.PublicID)}, facts...)
	}
	var lines []string
	for _, h := range f.Held {
		lines = append(lines, s.hang(s.plain, "", Escape(heldText(h))))
	}
	if f.Answer != nil {
		lines = append(lines, s.hang(s.life(f.Answer.Life), "", Escape(answerText(*f.Answer))))
	}
	if len(facts) > 0 {
		lines = append(lines, s.hang(s.plain, "", strings.Join(facts, ", ")))
	}
	// A distinctive shape speaks for itself; a proof or a doubt is worth a line.
	telling := f.Proof != scan.Unproved || f.Confidence <= scan.Medium || s.o.Verbose
	if telling && len(f.Reasons) > 0 {
		lines = append(lines, s.hang(s.faint, "", Escape(strings.Join(f.Reasons, "; "))))
	}
	return lines
}

// heldText says in words which key of the user's it is.
func heldText(h scan.Held) string {
	switch {
	case h.Version == "current":
		return "this is " + h.Key + ", part " + h.Part
	case h.Died.IsZero():
		return "this is " + h.Key + ", part " + h.Part + ", its " + h.Version + " version"
	}
	return "this was " + h.Key + ", part " + h.Part + ", until " + h.Died.Format(time.DateOnly)
}

func (s *screen) life(l scan.Life) lipgloss.Style {
	switch l {
	case scan.Alive:
		return s.level[scan.Certain]
	case scan.Dead:
		return s.good
	}
	return s.faint
}

// answerText says in words what the provider answered.
func answerText(a scan.Answer) string {
	var text string
	switch a.Life {
	case scan.Alive:
		text = "it is alive"
	case scan.Dead:
		text = "it is dead"
	default:
		text = "alive or dead is not known"
	}
	if a.Account != "" {
		text += ", of the account " + a.Account
	}
	if a.Code != "" {
		text += " (" + a.Code + ")"
	}
	return text
}

// location is the place as editors take it: path:line:column.
func location(p scan.Place) string {
	name := p.Path
	if name == "" {
		name = sourceName(p.Source)
	}
	at := name
	if p.Line > 0 { // otherwise it is the file
		at += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	if len(p.Via) > 0 {
		at += " (" + strings.Join(p.Via, ", ") + ")"
	}
	return at
}

// sourceName names a place that has no path.
func sourceName(k scan.SourceKind) string {
	switch k {
	case scan.SourceStdin:
		return "standard input"
	case scan.SourceMessage:
		return "commit message"
	case scan.SourceTag:
		return "tag message"
	}
	return string(k)
}

// origin says who brought it and when.
func (s *screen) origin(p scan.Place) string {
	var words []string
	if p.Commit != "" {
		words = append(words, Escape(short(p.Commit)))
	} else if p.Object != "" && p.Source != scan.SourceFile {
		words = append(words, "object "+Escape(short(p.Object)))
	}
	if p.Author != "" {
		room := min(maxAuthor, middleColumn-shortCommit-len("2006-01-02")-2*gutter+max(0, s.width-defaultWidth))
		words = append(words, ansi.Truncate(Escape(p.Author), room, "…"))
	}
	if !p.Date.IsZero() {
		words = append(words, p.Date.Format(time.DateOnly))
	}
	return strings.Join(words, strings.Repeat(" ", gutter))
}

func short(id string) string { return id[:min(len(id), shortCommit)] }

// status says whether the place can be reached from where people work now.
func status(p scan.Place) string {
	switch {
	case p.Unreachable:
		return "unreachable"
	case p.Source == scan.SourceIndex:
		return "in the index"
	case p.Source == scan.SourceConfig, p.Source == scan.SourceStdin:
		return ""
	case p.Source == scan.SourceFile && p.Commit == "":
		return ""
	case p.AtTip:
		return "at tip"
	}
	return "history only"
}

func morePlaces(rest []scan.Place) string {
	if len(rest) == 0 {
		return ""
	}
	text := "and " + count(len(rest), "more place", "more places")
	for _, p := range rest {
		if rank(p) < 2 {
			return text
		}
	}
	return text + " in history only"
}

// setColumns fits the columns to what is shown: as narrow as most rows allow, and
// never so wide that the rest of a row would not fit.
func (s *screen) setColumns(blocks []block) {
	widest := [2]int{}
	limit := [2]int{s.width - lastColumn - middleColumn - 3*gutter, middleColumn + max(0, s.width-defaultWidth)}
	for _, b := range blocks {
		for _, r := range b.rows {
			for i := range widest {
				if w := lipgloss.Width(r.cells[i]); w <= limit[i] {
					widest[i] = max(widest[i], w)
				}
			}
		}
	}
	s.columns[0] = gutter + widest[0] + gutter
	s.columns[1] = min(s.columns[0]+widest[1]+gutter, s.width-lastColumn)
}

func (s *screen) print(b block) {
	s.row(b.mark+" ", b.rows[0])
	for _, text := range b.plain {
		s.line("  " + text)
	}
	for _, r := range b.rows[1:] {
		s.row("  ", r)
	}
	for _, text := range b.rest {
		s.line("  " + text)
	}
}

// row prints cells in their columns. A cell that is too wide pushes the next one
// on, and if that does not fit then, to the next line.
func (s *screen) row(lead string, r row) {
	line := lead + r.styles[0].Render(r.cells[0])
	end := gutter + lipgloss.Width(r.cells[0])
	for i, cell := range r.cells[1:] {
		if cell == "" {
			continue
		}
		width := lipgloss.Width(cell)
		start := max(s.columns[i], end+gutter)
		if start+width > s.width {
			s.line(line)
			line, end = "", 0
			start = max(min(s.columns[i], s.width-width), indent)
		}
		line += strings.Repeat(" ", start-end) + r.styles[i+1].Render(cell)
		end = start + width
	}
	s.line(line)
}

// hang wraps text that follows a lead, with further lines below its beginning.
// It breaks at spaces only, so that commands and identifiers can be copied.
func (s *screen) hang(style lipgloss.Style, lead, text string) string {
	in := lipgloss.Width(lead)
	room := s.width - gutter - in
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && lipgloss.Width(line)+1+lipgloss.Width(word) > room {
			lines = append(lines, style.Render(line))
			line = word
			continue
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	lines = append(lines, style.Render(line))
	return lead + strings.Join(lines, "\n"+strings.Repeat(" ", gutter+in))
}

func (s *screen) line(text string) {
	s.out.WriteString(strings.TrimRight(text, " "))
	s.out.WriteByte('\n')
}

// notes prints what was not read and what is not shown.
func (s *screen) notes(r *scan.Report) {
	s.gaps(r.Coverage.Gaps)
	if text := excluded(r.Coverage.Excluded); text != "" {
		s.note(s.faint, "left out: "+text)
	}
	if r.Suppressed > 0 {
		s.note(s.faint, comma(r.Suppressed)+" suppressed by comments and ignore files: --no-ignore shows them")
	}
	if r.BelowLevel > 0 {
		s.note(s.faint, belowLevel(r.BelowLevel, s.o.Level)+" not shown: --confidence low shows them")
	}
	if r.LocalScope && len(r.Findings) > 0 {
		s.note(s.faint, "fingerprints hold in this clone only: set repository_id in .keywright.toml")
	}
	if s.noted {
		s.line("")
	}
}

func (s *screen) note(mark lipgloss.Style, text string) {
	s.noted = true
	s.line(s.hang(s.plain, mark.Render("!")+" ", text))
}

// gaps names what could not be read, and says once for neighbours of a kind what
// to do about it.
func (s *screen) gaps(gaps []scan.Gap) {
	shown := gaps
	if !s.o.Verbose && len(gaps) > maxGaps {
		shown = gaps[:maxGaps]
	}
	for i, g := range shown {
		s.note(s.bad, "not read: "+Escape(g.What)+": "+Escape(g.Why))
		if last := i+1 == len(shown) || shown[i+1].Hint != g.Hint; last && g.Hint != "" {
			s.line(s.hang(s.plain, "  "+s.arrow.Render("→")+" ", Escape(g.Hint)))
		}
	}
	if more := len(gaps) - len(shown); more > 0 {
		s.note(s.bad, "not read: "+comma(more)+" more: --format json names them all")
	}
}

func excluded(list []scan.Excluded) string {
	var words []string
	for _, e := range list {
		if e.Count > 0 {
			words = append(words, fmt.Sprintf("%s (%s)", Escape(e.What), comma(e.Count)))
		}
	}
	return strings.Join(words, ", ")
}

func belowLevel(n int, level scan.Confidence) string {
	if level > scan.Medium {
		return comma(n) + " below " + level.String() + " confidence"
	}
	return comma(n) + " of low confidence"
}

// summary is the last line: what was found, in how much, and whether that was all.
func (s *screen) summary(r *scan.Report) string {
	return strings.Join([]string{found(r.Findings), s.read(r), s.verdict(r)}, "; ")
}

func found(findings []scan.Finding) string {
	if len(findings) == 0 {
		return "no secrets found"
	}
	places := 0
	for _, f := range findings {
		places += len(f.Places)
	}
	return count(len(findings), "secret", "secrets") + " in " + count(places, "place", "places")
}

// read says how much was read.
func (s *screen) read(r *scan.Report) string {
	c := &r.Coverage
	var words []string
	add := func(n int, one, many string) {
		if n > 0 {
			words = append(words, count(n, one, many))
		}
	}
	add(c.Files, "file", "files")
	add(c.Blobs, "blob", "blobs")
	add(c.Commits, "commit", "commits")
	words = append(words, humanize.Bytes(uint64(max(c.Bytes, 0))))
	text := strings.Join(words, ", ")
	if r.Duration > 0 {
		text += " in " + duration(r.Duration)
	}
	return text
}

func (s *screen) verdict(r *scan.Report) string {
	word := state(r)
	if word == "complete" {
		return s.good.Render(word)
	}
	text := s.bad.Render(word)
	if n := len(r.Coverage.Gaps); n > 0 {
		text += ": " + count(n, "gap", "gaps")
	}
	return text
}

// duration is rounded to what people care about.
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return comma(n) + " " + many
}

func comma(n int) string { return humanize.Comma(int64(n)) }
