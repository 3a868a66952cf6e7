package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
)

// ErrStray says that a provider has a key that keywright issued and nothing here knows.
var ErrStray = errors.New("keywright issued it, and no key and no rotation here knows it")

// remember notes which credentials there are before one is issued: by that a key is found
// that was made when nobody was left to store it. Once a key was asked for, what is new may
// be that one, and the list stays as it is.
func (w *work) remember(ctx context.Context) (result, error) {
	l, ok := w.p.(provider.Lister)
	if !ok || !is[provider.Issuer](w.p) || !w.j.Asked.IsZero() {
		return result{}, nil
	}
	all, err := l.List(ctx, w.admin, w.old)
	if err != nil {
		return result{}, fmt.Errorf("list the keys there are: %w", err)
	}
	w.j.Known = nil
	for _, c := range all {
		w.j.Known = append(w.j.Known, c.ID)
	}
	return w.strays(ctx, all)
}

// strays looks for keys of keywright's that no key and no open rotation here has. One that
// this installation issued is refused: it was lost. Of others somebody says that they are
// left alone, but in an emergency, when they are named. If the old one's id is not known,
// each may be that.
func (w *work) strays(ctx context.Context, all []provider.Listed) (result, error) {
	if w.j.OldID == "" {
		return result{}, nil
	}
	keys, err := w.Store.Keys(ctx)
	if err != nil {
		return result{}, err
	}
	var others, uses, ids, notes []string
	for _, c := range all {
		l, labelled := provider.ParseLineage(c.Label)
		switch {
		case c.ID == w.j.OldID:
			if labelled && l.Installation != "" && !w.issuedHere(ctx, l) {
				notes = append(notes, "the old key was issued by another installation, "+l.Installation+", which may replace it, too")
			}
		case !labelled, c.Disabled, belongs(c, keys, w.j.Provider), slices.Contains(w.j.Others, c.ID):
		case w.issuedHere(ctx, l):
			return result{}, &stop{error: fmt.Errorf("%s: %w", w.described(c), ErrStray), hint: "keywright rotate orphans " + w.j.Key + " --delete"}
		default:
			others, ids = append(others, called(c)), append(ids, c.ID)
			if !c.LastUsed.IsZero() { // which is not in the question: that stays the same
				uses = append(uses, c.ID+" was last used "+c.LastUsed.Local().Format(time.DateTime))
			}
		}
	}
	if len(others) == 0 {
		return result{note: joined(notes...)}, nil
	}
	if question := askOthers(others); !w.j.Urgent && w.j.Mode != Emergency && !w.yes(question) {
		return result{note: strings.Join(uses, "; "), need: &Need{Question: question, Others: true}}, nil
	}
	w.j.Others = append(w.j.Others, ids...)
	notes = append(notes, "left alone, as somebody else's: "+strings.Join(others, "; "))
	return result{note: joined(append(notes, uses...)...)}, nil
}

// askOthers is asked of keys that other installations issued.
func askOthers(keys []string) string {
	return "Issued by keywright, and unknown to this installation: " + strings.Join(keys, "; ") + ". If that is to replace this key, wait until it has. Is it for something else, and to be left alone?"
}

// issuedHere reports whether a label says that this installation issued something, or that a
// rotation did whose journal is here.
func (w *work) issuedHere(ctx context.Context, l provider.Lineage) bool {
	if l.Installation != "" && l.Installation == w.Origin {
		return true
	}
	j, err := w.Store.Journal(ctx, l.Rotation)
	return err == nil && j.Lineage() == l
}

// belongs reports whether a listed key is one that is kept here, or may be the new one of a
// rotation that is open.
func belongs(c provider.Listed, keys []Key, at string) bool {
	l, labelled := provider.ParseLineage(c.Label)
	return slices.ContainsFunc(keys, func(k Key) bool {
		return k.Provider == at && (c.ID != "" && k.ID == c.ID || labelled && k.Rotation == l.Rotation)
	})
}

// described is a listed key in words.
func (w *work) described(c provider.Listed) string {
	switch {
	case !c.LastUsed.IsZero():
		return called(c) + ", last used " + c.LastUsed.Local().Format(time.DateTime)
	case w.p.Info().Uses:
		return called(c) + ", of no use that is told"
	}
	return called(c)
}

// called is what of a listed key stays the same.
func called(c provider.Listed) string {
	text := c.ID
	if c.Label != "" {
		text += fmt.Sprintf(" %q", c.Label)
	}
	switch l, ok := provider.ParseLineage(c.Label); {
	case ok && l.Installation == "":
		text += " (which names no installation)"
	case ok && c.Label != l.String():
		text += fmt.Sprintf(" (installation %s, rotation %s)", l.Installation, l.Rotation)
	}
	if !c.Created.IsZero() {
		text += ", made " + c.Created.Local().Format(time.DateTime)
	}
	return text
}

// foreign reports whether a listed key can't be one that this rotation has lost: it was
// there before, it is one of the two, or it has the label of something else.
func (j *Journal) foreign(c provider.Listed) bool {
	return c.ID == j.OldID || c.ID == j.NewID || slices.Contains(j.Known, c.ID) || c.Label != "" && !j.labelled(c.Label)
}

// orphan ends what this rotation may have issued when it died, or when no clear answer
// came. A list that has nothing new is not believed before the key would be known
// everywhere.
func (w *work) orphan(ctx context.Context) (result, error) {
	w.j.Unclear = true
	l, lists := w.p.(provider.Lister)
	r, revokes := w.p.(provider.Revoker)
	if !lists || !revokes {
		question := fmt.Sprintf("A new key may have been made at %s when keywright ended, and its secret is lost. Is there none, or did you delete it? It may be called %s. %s", w.p.Info().Title, w.j.Lineage(), w.p.Info().Page)
		if w.yes(question) {
			return result{}, nil
		}
		return result{need: &Need{Question: question}}, nil
	}
	if err := w.begin(ctx); err != nil { // whoever comes later finds that this was done
		return result{}, err
	}
	all, err := l.List(ctx, w.admin, w.old)
	if err != nil {
		return result{}, fmt.Errorf("look for a key that was issued and lost: %w", err)
	}
	keys, err := w.Store.Keys(ctx)
	if err != nil {
		return result{}, err
	}
	var need *Need
	found := false
	for _, c := range all {
		if w.j.foreign(c) {
			continue
		}
		if c.Label == "" { // it may be anybody's
			question := "There since a new key was asked for, and perhaps the one whose answer was lost: " + w.described(c) + ". Delete it? A no says that it is somebody else's."
			switch {
			case belongs(c, keys, w.j.Provider):
				continue
			case w.no(question):
				w.j.Known = append(w.j.Known, c.ID)
				continue
			case !w.yes(question):
				if need == nil {
					need = &Need{Question: question, No: true}
				}
				continue
			}
		}
		if err := r.Revoke(ctx, w.admin, provider.Credential{ID: c.ID, Params: w.key.Params}, w.old); err != nil {
			return result{}, fmt.Errorf("end %s, which was issued and lost: %w", c.ID, err)
		}
		found = true
	}
	if need != nil {
		return result{need: need}, nil
	}
	if known := w.j.Asked.Add(w.p.Info().Propagation); !found && w.Now().Before(known) {
		return result{until: known, note: "no key that was issued and lost is listed, which may take a while"}, nil
	}
	return result{}, nil
}

// late looks once more for what this rotation may have issued and lost.
func (w *work) late(ctx context.Context) error {
	l, ok := w.p.(provider.Lister)
	if !ok || !w.j.unclear() {
		return nil
	}
	beside := w.old
	if w.j.New != 0 {
		beside = w.next
	}
	all, err := l.List(ctx, w.admin, beside)
	if err != nil {
		return fmt.Errorf("look once more for a key that was issued and lost: %w", err)
	}
	for _, c := range all {
		if !w.j.foreign(c) {
			w.j.suspect(c.ID)
		}
	}
	return nil
}

// unclear reports whether it was ever not known if a key was issued.
func (j *Journal) unclear() bool { return j.Unclear || j.New == 0 && j.begun(Issue) }

func (j *Journal) suspect(id string) {
	if id != "" && !slices.Contains(j.Suspects, id) {
		j.Suspects = append(j.Suspects, id)
	}
}

// suspected reports whether a rotation that is over may have left a key behind: its
// journal says so, or it was made when one was asked for.
func (j *Journal) suspected(c provider.Listed) bool {
	made := j.unclear() && !c.Created.IsZero() && c.Created.Sub(j.Asked).Abs() <= skew
	return !j.Open() && (slices.Contains(j.Suspects, c.ID) || made && !j.foreign(c))
}

// Orphans are the credentials that this installation issued for a key, by their labels or by
// what journals say, and that are neither a current one nor one of an open rotation. Others
// are those that belong to nothing here either, and that another installation issued:
// nobody here knows whether they are in use. A label that names no installation may be
// anybody's; its key is an orphan.
func (e *Engine) Orphans(ctx context.Context, name string, known []*Journal) (orphans, others []provider.Listed, err error) {
	key, err := e.Store.Key(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	p, _ := e.Provider(key.Provider)
	l, ok := p.(provider.Lister)
	if !ok {
		return nil, nil, nil
	}
	w, err := e.work(ctx, &Journal{Key: name, Provider: key.Provider, Old: key.Current, OldID: key.ID})
	if err != nil {
		return nil, nil, err
	}
	all, err := l.List(ctx, w.admin, w.old)
	if err != nil {
		return nil, nil, fmt.Errorf("look for orphans of %s: %w", name, err)
	}
	keys, err := e.Store.Keys(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range all {
		lineage, labelled := provider.ParseLineage(c.Label)
		switch {
		case belongs(c, keys, key.Provider), slices.ContainsFunc(known, func(j *Journal) bool {
			return j.Open() && (c.ID == j.OldID || c.ID == j.NewID || j.labelled(c.Label))
		}):
		case slices.ContainsFunc(known, func(j *Journal) bool { return j.Key == name && j.suspected(c) }),
			labelled && (lineage.Installation == "" || w.issuedHere(ctx, lineage)):
			orphans = append(orphans, c)
		case labelled:
			others = append(others, c)
		}
	}
	return orphans, others, nil
}
