package main

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// store is what a provider remembers. Values are copied on the way in and out, because the library changes what it holds.
type store struct {
	mu       sync.Mutex
	sessions map[string]goidc.AuthnSession
	grants   map[string]goidc.Grant
	// saved is called after a session was saved for the first time, before the acknowledgement leaves.
	saved func(context.Context, *goidc.AuthnSession) error
}

func newStore() *store {
	return &store{sessions: map[string]goidc.AuthnSession{}, grants: map[string]goidc.Grant{}}
}

func (s *store) SaveSession(ctx context.Context, session *goidc.AuthnSession) error {
	s.mu.Lock()
	_, known := s.sessions[session.ID]
	kept := *session
	kept.Store = maps.Clone(session.Store)
	s.sessions[session.ID] = kept
	s.mu.Unlock()
	if known {
		return nil
	}
	return s.saved(ctx, session)
}

func (s *store) session(is func(*goidc.AuthnSession) bool) (*goidc.AuthnSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.sessions {
		if is(&session) {
			session.Store = maps.Clone(session.Store)
			return &session, nil
		}
	}
	return nil, goidc.ErrNotFound
}

func (s *store) Session(_ context.Context, id string) (*goidc.AuthnSession, error) {
	return s.session(func(session *goidc.AuthnSession) bool { return session.ID == id })
}

func (s *store) SessionByAuthReqID(_ context.Context, id string) (*goidc.AuthnSession, error) {
	return s.session(func(session *goidc.AuthnSession) bool { return session.AuthReqID == id })
}

func (s *store) SaveGrant(_ context.Context, grant *goidc.Grant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := *grant
	kept.Store = maps.Clone(grant.Store)
	s.grants[grant.ID] = kept
	return nil
}

func (s *store) grant(is func(*goidc.Grant) bool) (*goidc.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, grant := range s.grants {
		if is(&grant) {
			grant.Store = maps.Clone(grant.Store)
			return &grant, nil
		}
	}
	return nil, goidc.ErrNotFound
}

func (s *store) Grant(_ context.Context, id string) (*goidc.Grant, error) {
	return s.grant(func(grant *goidc.Grant) bool { return grant.ID == id })
}

// GrantByAuthReqID fails for a person whose tokens cannot be fetched: the library answers 500 to every request.
func (s *store) GrantByAuthReqID(ctx context.Context, id string) (*goidc.Grant, error) {
	session, err := s.SessionByAuthReqID(ctx, id)
	if err == nil && session.LoginHint == "tokens-fail" {
		return nil, errors.New("the store is down")
	}
	return s.grant(func(grant *goidc.Grant) bool { return grant.AuthReqID == id })
}

func (s *store) GrantByRefreshToken(_ context.Context, token string) (*goidc.Grant, error) {
	return s.grant(func(grant *goidc.Grant) bool { return grant.RefreshToken == token })
}

// Nobody asks about tokens here.

func (s *store) SaveToken(context.Context, *goidc.Token) error { return nil }

func (s *store) Token(context.Context, string) (*goidc.Token, error) { return nil, goidc.ErrNotFound }
