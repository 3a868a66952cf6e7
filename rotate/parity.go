package rotate

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
)

// parity compares what the two keys may do. Less is told, more is refused. Where the old
// one is gone already, somebody decides: a refusal would only make the outage longer.
func (w *work) parity(ctx context.Context) (result, error) {
	v := w.p.(provider.Verifier)
	next, err := v.Verify(ctx, w.next)
	switch {
	case err != nil:
		return result{}, err
	case !next.State.Lives(): // it was alive a moment ago, and what it may do is not said
		return w.notYet(fmt.Sprintf("the new key is %s (%s)", next.State, next.Code), next.After)
	}
	if err := w.key.Policy.allow(next.Who); err != nil {
		if r, err := w.unfit(fmt.Errorf("the new key is not what it has to be: %w", err)); err != nil || r.need != nil {
			return r, err
		}
	}
	if question := "Its provider does not tell what the new key may do, and the key's policy forbids " + strings.Join(w.key.Policy.Forbidden, ", ") + ". Did you look?"; w.key.Policy.unseen(next.Who) && !w.yes(question) {
		return result{need: &Need{Question: question}}, nil
	}
	if w.j.Was == nil {
		const question = "The new key may withdraw. Whether the old one may was not asked. Is it meant to?"
		if next.Who.Withdraw && !w.yes(question) {
			return result{need: &Need{Question: question}}, nil
		}
		return result{skipped: true, note: "the old key was not asked; of the new one: " + rights(next.Who)}, nil
	}
	if a, b := w.j.Was.Account, next.Who.Account; a != b && a != "" && b != "" {
		return result{}, fmt.Errorf("the new key is of the account %s, the old one of %s", b, a)
	}
	more, less := compare(*w.j.Was, next.Who)
	if len(more) > 0 {
		if r, err := w.unfit(fmt.Errorf("the new key may do more than the old one: %s", strings.Join(more, ", "))); err != nil || r.need != nil {
			return r, err
		}
	}
	return result{note: strings.Join(less, ", ")}, nil
}

// unfit is what becomes of a new key that is not as it has to be.
func (w *work) unfit(why error) (result, error) {
	if !w.j.irrevocable() {
		return result{}, why
	}
	text := why.Error()
	question := strings.ToUpper(text[:1]) + text[1:] + ". The old one is gone. Go on with it all the same?"
	if w.yes(question) {
		return result{}, nil
	}
	return result{need: &Need{Question: question}}, nil
}

// rights are what a provider says that a credential may do.
func rights(who provider.Identity) string {
	text := strings.Join(who.Scopes, ", ")
	if who.Withdraw && !slices.Contains(who.Scopes, Withdraw) {
		text = strings.TrimPrefix(text+", "+Withdraw, ", ")
	}
	if text == "" {
		return "what it may do is not told"
	}
	if len(who.IPs) > 0 {
		text += ", from " + strings.Join(who.IPs, ", ")
	}
	return "it may " + text
}

// compare says what of a new credential is more than the old one's, and what is less.
func compare(old, next provider.Identity) (more, less []string) {
	for _, s := range next.Scopes {
		if !slices.Contains(old.Scopes, s) {
			more = append(more, s)
		}
	}
	for _, s := range old.Scopes {
		if !slices.Contains(next.Scopes, s) {
			less = append(less, "without "+s)
		}
	}
	switch {
	case next.Withdraw && !old.Withdraw && !slices.Contains(more, Withdraw):
		more = append(more, Withdraw)
	case old.Withdraw && !next.Withdraw && !slices.Contains(old.Scopes, Withdraw):
		less = append(less, "without "+Withdraw)
	}
	switch {
	case len(old.IPs) > 0 && len(next.IPs) == 0:
		more = append(more, "use from any address")
	case len(old.IPs) == 0 && len(next.IPs) > 0:
		less = append(less, "only from "+strings.Join(next.IPs, ", "))
	default:
		for _, ip := range next.IPs {
			if !covers(old.IPs, ip) {
				more = append(more, "use from "+ip)
			}
		}
		for _, ip := range old.IPs {
			if !covers(next.IPs, ip) {
				less = append(less, "not from "+ip)
			}
		}
	}
	switch {
	case !old.Expires.IsZero() && next.Expires.IsZero():
		more = append(more, "no expiry")
	case old.Expires.IsZero() && !next.Expires.IsZero():
		less = append(less, "ends "+next.Expires.Format(time.DateOnly))
	case next.Expires.Before(old.Expires):
		less = append(less, fmt.Sprintf("ends %s, the old one %s", next.Expires.Format(time.DateOnly), old.Expires.Format(time.DateOnly)))
	}
	return more, less
}

// covers reports whether a list of addresses and networks allows all of one. What is
// neither, as the name of a zone, is compared as a text.
func covers(list []string, one string) bool {
	p, ok := network(one)
	if !ok {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, one) })
	}
	var all []netip.Prefix
	for _, s := range list {
		if q, ok := network(s); ok {
			all = append(all, q)
		}
	}
	return hold(all, p)
}

// network is an address, or a network with its length; false if a text is neither.
func network(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// hold reports whether networks hold all of one, which may take several of them.
func hold(all []netip.Prefix, p netip.Prefix) bool {
	inside := false
	for _, q := range all {
		switch {
		case q.Bits() <= p.Bits() && q.Contains(p.Addr()):
			return true
		case p.Contains(q.Addr()):
			inside = true
		}
	}
	if !inside {
		return false
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	upper, _ := netip.AddrFromSlice(bytes)
	return hold(all, low) && hold(all, netip.PrefixFrom(upper, p.Bits()+1))
}
