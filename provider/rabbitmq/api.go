package rabbitmq

import (
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
	if !found { // said by the broker, not by what stands before it
		var no struct{ Error string }
		if err := a.JSON(&no); err != nil {
			return nil, err
		}
		if no.Error != "Object Not Found" {
			return nil, a.Failure(provider.Malformed, "", errors.New("it is not RabbitMQ's"))
		}
		return nil, nil
	}
	if err := a.JSON(&u); err != nil {
		return nil, err
	}
	if u.Name != who {
		return nil, a.Failure(provider.Malformed, "", errors.New("it is about somebody else"))
	}
	return &u, nil
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

// connections is how many connections of a user are open. These are those that the broker
// itself keeps count of: what its statistics say of them comes seconds late.
func (p *Provider) connections(ctx context.Context, as provider.Credential, doing, who string) (int, error) {
	var all []json.RawMessage
	_, err := p.get(ctx, as, doing, connectionsOf(who), &all)
	return len(all), err
}

// connectionsOf is where RabbitMQ 3.10 and later list a user's connections, and close them.
func connectionsOf(who string) string { return "/connections/username/" + url.PathEscape(who) }

// ending is how long connections have to end that were told to.
const ending = 15 * time.Second

var errStillOpen = errors.New("connections are still open")

// end closes all connections of a user, and waits until none is left. One that was about to
// open may show up late: none is left when there was none twice.
func (p *Provider) end(ctx context.Context, as provider.Credential, doing, who string) error {
	late := time.After(ending)
	closed := false
	for none := 0; ; {
		open, err := p.connections(ctx, as, doing, who)
		if none++; err == nil && open > 0 {
			none = 0
			_, _, err = p.ask(ctx, as, doing, http.MethodDelete, connectionsOf(who), nil, http.Header{"X-Reason": {"the password was replaced"}})
		}
		if err != nil && closed {
			return web.Afterwards("connections were closed", err)
		}
		if err != nil {
			return err
		}
		closed = closed || open > 0
		if none == 2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return &provider.Error{Provider: name, Doing: doing, Kind: provider.Unclear, Err: ctx.Err()}
		case <-late:
			return &provider.Error{Provider: name, Doing: doing, Kind: provider.Unclear, Err: fmt.Errorf("%w: %d of %s after %v", errStillOpen, open, who, ending)}
		case <-time.After(100 * time.Millisecond):
		}
	}
}
