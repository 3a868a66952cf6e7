package rabbitmq

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
)

const algorithm = "rabbit_password_hashing_sha256"

// entry is a user, as the HTTP API shows it.
type entry struct {
	Name      string   `json:"name"`
	Hash      string   `json:"password_hash"`
	Algorithm string   `json:"hashing_algorithm"`
	Tags      []string `json:"tags"`
}

// ask makes a call of the HTTP API. A refusal is an error, but that there is no such thing.
func (p *Provider) ask(ctx context.Context, as provider.Credential, doing, method, path string, body any, header http.Header) (a web.Answer, found bool, err error) {
	login := provider.User(as) + ":" + string(as.Part(password).Reveal())
	h := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(login))}, "Accept": {"application/json"}}
	for name, values := range header {
		h[name] = values
	}
	call := web.Call{Doing: doing, Method: method, URL: as.Params[management], Path: "/api" + path, Header: h}
	if body != nil {
		if call.Body, err = json.Marshal(body); err != nil {
			return a, false, err
		}
		h.Set("Content-Type", "application/json")
	}
	if a, err = p.web.Do(ctx, call); err != nil {
		return a, false, err
	}
	if a.Status == http.StatusNotFound {
		return a, false, nil
	}
	return a, true, a.Refusal()
}

// get reads what there must be.
func (p *Provider) get(ctx context.Context, as provider.Credential, doing, path string, v any) (web.Answer, error) {
	a, found, err := p.ask(ctx, as, doing, http.MethodGet, path, nil, nil)
	if err == nil && !found {
		err = a.Failure(provider.Refused, "", fmt.Errorf("there is no %s", path))
	}
	if err == nil {
		err = a.JSON(v)
	}
	return a, err
}

// administrator refuses an admin that is none.
func (p *Provider) administrator(ctx context.Context, as provider.Credential, doing string) error {
	var who entry
	a, err := p.get(ctx, as, doing, "/whoami", &who)
	switch {
	case err != nil:
		return err
	case who.Name != provider.User(as):
		return a.Failure(provider.Malformed, "", errors.New("it is not RabbitMQ's"))
	case !slices.Contains(who.Tags, "administrator"):
		return &provider.Error{Provider: name, Doing: doing, Kind: provider.Forbidden, Err: fmt.Errorf("%s lacks the tag administrator", who.Name),
			Hint: "rabbitmqctl set_user_tags " + who.Name + " administrator"}
	}
	return nil
}

// user is one of the broker's own; nil if there is none of the name.
func (p *Provider) user(ctx context.Context, as provider.Credential, doing, who string) (*entry, error) {
	a, found, err := p.ask(ctx, as, doing, http.MethodGet, "/users/"+url.PathEscape(who), nil, nil)
	if err != nil {
		return nil, err
	}
	var u entry
	if !found {
		return nil, noObject(a)
	}
	if err := a.JSON(&u); err != nil {
		return nil, err
	}
	if u.Name != who {
		return nil, a.Failure(provider.Malformed, "", errors.New("it is about somebody else"))
	}
	return &u, nil
}

// noObject refuses a 404 that is not the broker's, but of what stands before it.
func noObject(a web.Answer) error {
	var no struct{ Error string }
	if err := a.JSON(&no); err != nil {
		return err
	}
	if no.Error != "Object Not Found" {
		return a.Failure(provider.Malformed, "", errors.New("it is not RabbitMQ's"))
	}
	return nil
}

// put gives a user a hash of a password, or none.
func (p *Provider) put(ctx context.Context, as provider.Credential, doing, who, hash string, tags []string) error {
	body := map[string]string{"password_hash": hash, "hashing_algorithm": algorithm, "tags": strings.Join(tags, ",")}
	a, found, err := p.ask(ctx, as, doing, http.MethodPut, "/users/"+url.PathEscape(who), body, nil)
	if err == nil && !found {
		err = a.Failure(provider.Refused, "", errors.New("there is no such address: the url is that of the management plugin, without /api"))
	}
	if err == nil && a.Status != http.StatusCreated { // which is what it is if the user was not there
		err = a.Done(http.StatusNoContent)
	}
	return err
}

// rights are what decides what a user can do, in words.
func (p *Provider) rights(ctx context.Context, as provider.Credential, doing string, u *entry) (all []string, err error) {
	for _, tag := range u.Tags {
		all = append(all, "the tag "+tag)
	}
	for _, kind := range []struct{ what, path string }{
		{"the permission", "/users/" + url.PathEscape(u.Name) + "/permissions"},
		{"the permission for topics", "/users/" + url.PathEscape(u.Name) + "/topic-permissions"},
		{"the limits", "/user-limits/" + url.PathEscape(u.Name)},
	} {
		var has []map[string]any
		if _, err := p.get(ctx, as, doing, kind.path, &has); err != nil {
			return nil, err
		}
		for _, h := range has {
			delete(h, "user")
			text, err := json.Marshal(h) // in the order of names
			if err != nil {
				return nil, err
			}
			all = append(all, kind.what+" "+string(text))
		}
	}
	return all, nil
}

// connections are the names of those that a user has open, as the broker itself keeps
// count of them: its statistics learn of one seconds later. The count may hold one for ever
// that has ended, which opened and closed in no time (RabbitMQ 3.10 counts both as they
// come, each in a process of its own): see known.
func (p *Provider) connections(ctx context.Context, as provider.Credential, doing, who string) (names []string, err error) {
	var all []struct{ Name string }
	_, err = p.get(ctx, as, doing, connectionsOf(who), &all)
	for _, c := range all {
		names = append(names, c.Name)
	}
	return names, err
}

// connectionsOf is where RabbitMQ 3.10 and later list a user's connections, and close them.
func connectionsOf(who string) string { return "/connections/username/" + url.PathEscape(who) }

// known reports whether the statistics know a connection, too.
func (p *Provider) known(ctx context.Context, as provider.Credential, doing, connection string) (bool, error) {
	a, found, err := p.ask(ctx, as, doing, http.MethodGet, "/connections/"+url.PathEscape(connection), nil, nil)
	if err == nil && !found {
		err = noObject(a)
	}
	return found, err
}

const (
	looking  = 100 * time.Millisecond // between two looks at what is open
	settling = 500 * time.Millisecond // until one that was about to open is counted
	learning = 11 * time.Second       // until the statistics know of one: they are gathered every 5 s
	ending   = 40 * time.Second       // until one ends that was told to: the broker gives its program 30 s
)

var errStillOpen = errors.New("connections are still open")

// busy refuses a user who has connections open.
func (p *Provider) busy(ctx context.Context, as provider.Credential, doing, who string) error {
	for began := time.Now(); ; {
		open, err := p.connections(ctx, as, doing, who)
		if err != nil || len(open) == 0 {
			return err
		}
		for _, n := range open {
			switch sure, err := p.known(ctx, as, doing, n); {
			case err != nil:
				return err
			case sure:
				return &provider.Error{Provider: name, Doing: doing, Kind: provider.Refused, Err: fmt.Errorf("%s is in use: %d connections are open", who, len(open)),
					Hint: "its password would change; stop what uses it, or keep the key that is in use"}
			}
		}
		if time.Since(began) > learning {
			return nil
		}
		if err := pause(ctx, doing, time.Second); err != nil {
			return err
		}
	}
}

// end closes the connections that a user has opened with a password that is not accepted any
// more, and waits until they have ended. If it has another, those that are opened later are
// that one's.
func (p *Provider) end(ctx context.Context, as provider.Credential, doing, who string, another bool) error {
	told, closed := map[string]bool{}, false
	fresh := func(n string) bool { return !told[n] }
	for began := time.Now(); ; {
		open, err := p.connections(ctx, as, doing, who)
		settled := time.Since(began) > settling
		switch {
		case err != nil:
		case settled && another:
			open = slices.DeleteFunc(open, fresh)
		case slices.ContainsFunc(open, fresh):
			_, _, err = p.ask(ctx, as, doing, http.MethodDelete, connectionsOf(who), nil, http.Header{"X-Reason": {"the password was replaced"}})
			for _, n := range open {
				told[n] = true
			}
			closed = closed || err == nil
		}
		wait := looking
		if err == nil && time.Since(began) > learning {
			wait = time.Second // as each that is left is asked about
			open = slices.DeleteFunc(open, func(n string) bool {
				sure, failed := p.known(ctx, as, doing, n)
				err = cmp.Or(err, failed)
				return failed == nil && !sure
			})
		}
		if err != nil && closed {
			return web.Afterwards("connections were closed", err)
		}
		if err != nil || settled && len(open) == 0 {
			return err
		}
		if time.Since(began) > ending {
			return &provider.Error{Provider: name, Doing: doing, Kind: provider.Unclear, Err: fmt.Errorf("%w: %d of %s after %v", errStillOpen, len(open), who, ending)}
		}
		if err := pause(ctx, doing, wait); err != nil {
			return err
		}
	}
}

// pause waits for a time.
func pause(ctx context.Context, doing string, d time.Duration) error {
	select {
	case <-ctx.Done():
		return &provider.Error{Provider: name, Doing: doing, Kind: provider.Unclear, Err: ctx.Err()}
	case <-time.After(d):
		return nil
	}
}
