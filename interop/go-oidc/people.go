package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// person is what happens on the phone, chosen by the login hint. Anyone else is unknown.
type person struct {
	// after is the time to the answer; an answer before the acknowledgement leaves is given at once.
	after time.Duration
	once  bool
	// approves and not denies.
	approves bool
	never    bool
	// rotates: the provider gets new keys before it signs.
	rotates bool
	// lost: the notification is not sent, and the provider believes that it was.
	lost bool
	// grants less than was asked for: no other scope than openid, another amount.
	less bool
	// unsaved: the person is prompted, then the store fails.
	unsaved bool
}

var people = map[string]person{
	"approve":         {after: 100 * time.Millisecond, approves: true},
	"approve-later":   {after: 3 * time.Second, approves: true},
	"deny":            {after: 100 * time.Millisecond},
	"never":           {never: true},
	"approve-at-once": {once: true, approves: true},
	"deny-at-once":    {once: true},
	"rotate":          {after: 100 * time.Millisecond, approves: true, rotates: true},
	"lost":            {after: 100 * time.Millisecond, approves: true, lost: true},
	"approve-less":    {after: 100 * time.Millisecond, approves: true, less: true},
	"store-fails":     {unsaved: true},
	"tokens-fail":     {after: 100 * time.Millisecond, approves: true},
}

// lostNotification marks the context of an answer whose notification gets lost.
type lostNotification struct{}

// prompt is called before anything of a request is saved.
func prompt(_ context.Context, session *goidc.AuthnSession, _ *goidc.Client) error {
	if _, known := people[session.LoginHint]; !known {
		return goidc.NewError(goidc.ErrorCode("unknown_user_id"), "nobody is called that").WithStatusCode(http.StatusBadRequest)
	}
	if len(session.BindingMessage) > 64 {
		return goidc.NewError(goidc.ErrorCodeInvalidBindingMessage, "too long").WithStatusCode(http.StatusBadRequest)
	}
	log.Println("prompt", session.ClientID, session.LoginHint, session.BindingMessage)
	return nil
}

// saved is called when a request was saved, before its acknowledgement leaves.
func (o *op) saved(ctx context.Context, session *goidc.AuthnSession) error {
	person := people[session.LoginHint]
	switch id := session.AuthReqID; {
	case person.unsaved:
		return errors.New("the store is down")
	case person.never:
	case person.once:
		o.decide(ctx, id, person)
	default:
		time.AfterFunc(person.after, func() { o.decide(context.Background(), id, person) })
	}
	return nil
}

func (o *op) decide(ctx context.Context, id string, person person) {
	if person.lost {
		ctx = context.WithValue(ctx, lostNotification{}, true)
	}
	if !person.approves {
		said := goidc.NewError(goidc.ErrorCodeAccessDenied, "the person said no").WithStatusCode(http.StatusBadRequest)
		report(o.provider.DenyCIBARequest(ctx, id, said))
		return
	}
	session, err := o.store.SessionByAuthReqID(ctx, id)
	if err != nil {
		report(err)
		return
	}
	if person.rotates {
		o.rotate()
	}
	session.Subject = session.LoginHint
	session.GrantedScopes = session.Scopes
	session.GrantedResources = session.Resources
	session.GrantedAuthDetails = session.AuthDetails
	if person.less {
		session.GrantedScopes = "openid"
		for _, detail := range session.GrantedAuthDetails {
			detail["amount"] = 1
		}
	}
	session.Store = map[string]any{}
	report(o.store.SaveSession(ctx, session))
	report(o.provider.GrantCIBARequest(ctx, id))
}

func report(err error) {
	if err != nil {
		log.Println("failed:", err)
	}
}

// notifications gives the HTTP client that sends notifications.
func notifications(send *http.Client) goidc.HTTPClientFunc {
	loses := &http.Client{Transport: lossy{}}
	return func(ctx context.Context) *http.Client {
		if lost, _ := ctx.Value(lostNotification{}).(bool); lost {
			return loses
		}
		return send
	}
}

// lossy says that everything arrived.
type lossy struct{}

func (lossy) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: request}, nil
}

// remembersToken keeps the access token for the at_hash of the ID Token beside it: the library pushes ID Tokens without at_hash, which
// CIBA 10.3.1 asks for. The tokens of push clients are opaque, and known here.
func remembersToken(_ context.Context, token *goidc.Token, grant *goidc.Grant) error {
	if grant.Store != nil && token.Format == goidc.TokenFormatOpaque && !strings.HasPrefix(token.ClientID, "push-bare") {
		grant.Store["access_token"] = token.ID
	}
	return nil
}
