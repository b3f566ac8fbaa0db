// A provider made with go-oidc, over HTTPS on free loopback ports. Takes the folder that tls.mjs filled.
//
// Three issuers: `plain` with everything, `fapi` on the terms of FAPI-CIBA and TLS 1.2, `keyless` whose keys cannot be
// fetched before the file `keys-published` is in that folder, and which refuses strange certificates in the handshake,
// under TLS 1.3.
//
// Writes clients.json there (what the tests need to be each client) and, once it listens, `env`.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"
)

const (
	poll = goidc.CIBADeliveryModePoll
	ping = goidc.CIBADeliveryModePing
	push = goidc.CIBADeliveryModePush
)

// op is one issuer.
type op struct {
	issuer, mutual string
	store          *store
	provider       *provider.Provider
	keys           sync.Mutex
	generation     int
	published      goidc.JSONWebKeySet
	// publishes: its keys can be fetched now.
	publishes func() bool
}

func main() {
	run := os.Args[1]
	files := folder(run)
	certificates := map[string]*x509.Certificate{"client": files.certificate("client.pem"), "self-signed": files.certificate("self-signed.pem")}
	authority := x509.NewCertPool()
	authority.AddCert(files.certificate("ca.pem"))
	endpoints := map[string]string{}
	// The command listens by itself, beside the adapters of the tests.
	for _, listens := range []string{"reqwest", "ureq", "command-reqwest", "command-ureq"} {
		endpoints[listens] = freeAddress() + "/ciba/notify"
	}
	sends := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority}}}
	server, err := tls.LoadX509KeyPair(filepath.Join(run, "server.pem"), filepath.Join(run, "server.key"))
	must(err)

	var known []client
	issuers := map[string]*op{}
	for _, name := range []string{"plain", "fapi", "keyless"} {
		config := &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS12}
		asking := config.Clone()
		asking.ClientCAs = authority
		asking.ClientAuth = tls.RequestClientCert
		if name == "fapi" {
			config.MaxVersion, asking.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		}
		if name == "keyless" {
			asking.ClientAuth, asking.MinVersion = tls.RequireAndVerifyClientCert, tls.VersionTLS13
		}
		public, mutual := listen(config), listen(asking)
		o := &op{issuer: address(public), mutual: address(mutual), store: newStore()}
		o.publishes = func() bool {
			_, err := os.Stat(filepath.Join(run, "keys-published"))
			return name != "keyless" || err == nil
		}
		o.store.saved = o.saved
		o.rotate()
		clients := &registry{issuer: o.issuer, fapi: name == "fapi", certificates: certificates, endpoints: endpoints}
		register[name](clients)
		known = append(known, clients.known...)
		o.start(name, clients.static, notifications(sends))
		handler := o.handler(certificates["self-signed"], authority)
		for _, listener := range []net.Listener{public, mutual} {
			go func() { log.Fatal(http.Serve(listener, handler)) }()
		}
		issuers[name] = o
	}

	written, err := json.MarshalIndent(known, "", " ")
	must(err)
	must(os.WriteFile(filepath.Join(run, "clients.json"), written, 0o600))
	// Renamed into place, so that a reader sees all of it or nothing.
	env := fmt.Sprintf("CIBA_INTEROP_ISSUER=%s\nCIBA_INTEROP_RUN=%s\n", issuers["plain"].issuer, run)
	must(os.WriteFile(filepath.Join(run, "env.new"), []byte(env), 0o600))
	must(os.Rename(filepath.Join(run, "env.new"), filepath.Join(run, "env")))
	select {}
}

// register adds the clients of each issuer.
var register = map[string]func(*registry){
	"plain": func(r *registry) {
		methods := []struct {
			name        string
			method      goidc.AuthnMethod
			alg, id     goidc.SignatureAlgorithm
			certificate string
		}{
			{"basic", goidc.AuthnMethodSecretBasic, "", goidc.RS256, ""},
			{"post", goidc.AuthnMethodSecretPost, "", goidc.ES256, ""},
			{"secret-jwt", goidc.AuthnMethodSecretJWT, goidc.HS256, goidc.ES384, ""},
			{"key", goidc.AuthnMethodPrivateKeyJWT, goidc.ES256, goidc.ES256, ""},
			{"key-es512", goidc.AuthnMethodPrivateKeyJWT, goidc.ES512, goidc.ES512, ""},
			{"tls", goidc.AuthnMethodTLS, "", goidc.PS256, "client"},
			{"self-signed", goidc.AuthnMethodSelfSignedTLS, "", goidc.PS512, "self-signed"},
			{"public", goidc.AuthnMethodNone, "", goidc.RS384, ""},
		}
		for _, m := range methods {
			r.add(m.name, m.method, m.alg, m.id, asked{certificate: m.certificate})
			for adapter := range r.endpoints {
				r.add("ping-"+m.name+"-"+adapter, m.method, m.alg, m.id,
					asked{certificate: m.certificate, delivery: ping, adapter: adapter})
			}
		}
		for adapter := range r.endpoints {
			pushed := func(name string, method goidc.AuthnMethod, alg goidc.SignatureAlgorithm, refresh bool) {
				r.add("push-"+name+"-"+adapter, method, alg, goidc.ES256, asked{delivery: push, adapter: adapter, refresh: refresh})
			}
			pushed("basic", goidc.AuthnMethodSecretBasic, "", false)
			pushed("key", goidc.AuthnMethodPrivateKeyJWT, goidc.ES256, false)
			pushed("refresh", goidc.AuthnMethodPrivateKeyJWT, goidc.ES256, true)
			// As the library pushes them, without at_hash.
			pushed("bare", goidc.AuthnMethodPrivateKeyJWT, goidc.ES256, false)
		}
		for _, alg := range []goidc.SignatureAlgorithm{goidc.ES256, goidc.ES384, goidc.ES512, goidc.PS256, goidc.RS256} {
			r.add("signed-"+string(alg), goidc.AuthnMethodPrivateKeyJWT, alg, goidc.ES256, asked{signed: alg})
		}
		r.add("signed-basic", goidc.AuthnMethodSecretBasic, "", goidc.ES256, asked{signed: goidc.ES256})
		r.add("refresh", goidc.AuthnMethodPrivateKeyJWT, goidc.ES256, goidc.ES256, asked{refresh: true})
		r.impostor("wrong-secret", "basic")
		r.impostor("wrong-key", "key")
		r.impostor("signed-wrong-key", "signed-basic")
	},
	"fapi": func(r *registry) {
		bound := asked{certificate: "client", signed: goidc.PS256}
		r.add("fapi-key", goidc.AuthnMethodPrivateKeyJWT, goidc.PS256, goidc.PS256, bound)
		r.add("fapi-tls", goidc.AuthnMethodTLS, "", goidc.PS256, bound)
		for adapter := range r.endpoints {
			pinged := asked{certificate: "client", signed: goidc.PS256, delivery: ping, adapter: adapter}
			r.add("ping-fapi-key-"+adapter, goidc.AuthnMethodPrivateKeyJWT, goidc.PS256, goidc.PS256, pinged)
			r.add("ping-fapi-tls-"+adapter, goidc.AuthnMethodTLS, "", goidc.PS256, pinged)
		}
	},
	"keyless": func(r *registry) {
		r.add("keyless", goidc.AuthnMethodSecretBasic, "", goidc.ES256, asked{})
		r.add("strict-tls", goidc.AuthnMethodTLS, "", goidc.ES256, asked{certificate: "client"})
	},
}

func (o *op) start(name string, clients []*goidc.Client, sends goidc.HTTPClientFunc) {
	algorithms := []goidc.SignatureAlgorithm{goidc.RS384, goidc.ES256, goidc.ES384, goidc.ES512, goidc.PS256, goidc.PS512, goidc.RS512}
	options := []provider.Option{
		provider.WithScopes(goidc.ScopeOpenID, goidc.NewScope("accounts")),
		provider.WithStaticClients(clients[0], clients[1:]...),
		provider.WithMTLS(o.mutual, shownCertificate),
		provider.WithCIBASessionHandler(prompt),
		provider.WithCIBAHTTPClientFunc(sends),
		provider.WithCIBAPollingInterval(1),
		provider.WithCIBALifetime(120),
		provider.WithJTIConsumer(once()),
		provider.WithErrorHandler(func(_ context.Context, err error) { log.Println("answered:", err) }),
	}
	if name == "fapi" {
		options = append(options,
			provider.WithCIBAGrant(o.store, poll, ping),
			provider.WithCIBAProfile(goidc.CIBAProfileFAPI),
			provider.WithCIBAJARRequired(goidc.PS256),
			provider.WithTLSTokenBindingRequired(),
			provider.WithPrivateKeyJWTAuthn(goidc.PS256),
			provider.WithTLSAuthn(),
			provider.WithIDTokenSignatureAlgs(goidc.PS256),
		)
	} else {
		options = append(options,
			provider.WithCIBAGrant(o.store, poll, ping, push),
			provider.WithRefreshTokenGrant(o.store),
			provider.WithCIBAJAR(goidc.ES256, goidc.ES384, goidc.ES512, goidc.PS256, goidc.RS256),
			provider.WithTLSTokenBinding(),
			provider.WithSecretBasicAuthn(),
			provider.WithSecretPostAuthn(),
			provider.WithSecretJWTAuthn(goidc.HS256),
			provider.WithPrivateKeyJWTAuthn(goidc.ES256, goidc.ES384, goidc.ES512, goidc.PS256, goidc.RS256),
			provider.WithTLSAuthn(),
			provider.WithSelfSignedTLSAuthn(),
			provider.WithNoneAuthn(),
			provider.WithRAR("payment"),
			provider.WithResourceIndicators("https://accounts.example/"),
			provider.WithIDTokenSignatureAlgs(goidc.RS256, algorithms...),
			provider.WithOpaqueTokens(o.store),
			provider.WithTokenHandler(remembersToken),
			provider.WithTokenOptions(func(_ context.Context, _ *goidc.Grant, c *goidc.Client) goidc.TokenOptions {
				if c.CIBATokenDeliveryMode == push {
					return goidc.NewOpaqueTokenOptions(300)
				}
				return goidc.NewJWTTokenOptions(goidc.ES256, 300)
			}),
			provider.WithIDTokenClaims(func(_ context.Context, grant *goidc.Grant) map[string]any {
				claims := map[string]any{}
				if token, _ := grant.Store["access_token"].(string); token != "" {
					hash := sha256.Sum256([]byte(token))
					claims["at_hash"] = base64.RawURLEncoding.EncodeToString(hash[:16])
				}
				return claims
			}),
		)
	}
	made, err := provider.New(o.issuer, o.store, o.jwks, options...)
	must(err)
	o.provider = made
}

// rotate replaces every key by another with another id.
func (o *op) rotate() {
	o.keys.Lock()
	defer o.keys.Unlock()
	o.generation++
	o.published = goidc.JSONWebKeySet{}
	rsaKey = nil
	for _, alg := range []goidc.SignatureAlgorithm{
		goidc.RS256, goidc.RS384, goidc.RS512, goidc.ES256, goidc.ES384, goidc.ES512, goidc.PS256, goidc.PS512,
	} {
		o.published.Keys = append(o.published.Keys, newKey(alg, fmt.Sprintf("%s-%d", alg, o.generation)))
	}
}

func (o *op) jwks(context.Context) (goidc.JSONWebKeySet, error) {
	o.keys.Lock()
	defer o.keys.Unlock()
	return o.published, nil
}

// once refuses the identifier of an assertion or a signed request that was used before.
func once() goidc.ConsumeJTIFunc {
	var used sync.Map
	return func(_ context.Context, id string) error {
		if _, known := used.LoadOrStore(id, true); known {
			return errors.New("used before")
		}
		return nil
	}
}

type shown struct{}

// handler tells the provider of a certificate that it may believe, and keeps keys back while they are to be unreachable.
func (o *op) handler(selfSigned *x509.Certificate, authority *x509.CertPool) http.Handler {
	inner := o.provider.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jwks" && !o.publishes() {
			http.NotFound(w, r)
			return
		}
		if len(r.TLS.PeerCertificates) > 0 {
			certificate := r.TLS.PeerCertificates[0]
			_, err := certificate.Verify(x509.VerifyOptions{Roots: authority, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			if err == nil || certificate.Equal(selfSigned) {
				r = r.WithContext(context.WithValue(r.Context(), shown{}, certificate))
			}
		}
		inner.ServeHTTP(w, r)
	})
}

func shownCertificate(ctx context.Context) (*x509.Certificate, error) {
	if certificate, ok := ctx.Value(shown{}).(*x509.Certificate); ok {
		return certificate, nil
	}
	return nil, errors.New("no certificate was shown, or one that nobody vouches for")
}

type folder string

func (f folder) certificate(name string) *x509.Certificate {
	text, err := os.ReadFile(filepath.Join(string(f), name))
	must(err)
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	must(err)
	return certificate
}

func listen(config *tls.Config) net.Listener {
	config.NextProtos = []string{"http/1.1"}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	must(err)
	return listener
}

func address(listener net.Listener) string {
	return "https://" + listener.Addr().String()
}

// freeAddress is on a port that is free now and stays so until the tests listen there: it is below those that systems hand out
// to whoever takes any free one, also for a connection.
func freeAddress() string {
	for {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000)))
		if err == nil {
			defer listener.Close()
			return address(listener)
		}
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
