package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// client is what the tests need to be a client; see tests/tests/interop/clients.rs.
type client struct {
	Name string `json:"name"`
	ID   string `json:"client_id"`
	// Issuer is the provider at which it is registered.
	Issuer       string                   `json:"issuer"`
	Method       goidc.AuthnMethod        `json:"method"`
	Alg          goidc.SignatureAlgorithm `json:"alg,omitempty"`
	Signed       goidc.SignatureAlgorithm `json:"signed,omitempty"`
	IDTokenAlg   goidc.SignatureAlgorithm `json:"id_token_alg"`
	Key          *goidc.JSONWebKey        `json:"key,omitempty"`
	Secret       string                   `json:"secret,omitempty"`
	RawBasic     bool                     `json:"raw_basic"`
	Delivery     string                   `json:"delivery"`
	Notification string                   `json:"notification_endpoint,omitempty"`
	UserCodes    bool                     `json:"user_codes"`
	Certificate  string                   `json:"certificate,omitempty"`
	Thumbprint   string                   `json:"thumbprint,omitempty"`
	Fapi         bool                     `json:"fapi"`
}

// asked is what a client is to be besides its method and its algorithms.
type asked struct {
	delivery    goidc.CIBATokenDeliveryMode
	adapter     string
	signed      goidc.SignatureAlgorithm
	certificate string
	refresh     bool
}

// registry makes clients of one issuer.
type registry struct {
	issuer       string
	fapi         bool
	certificates map[string]*x509.Certificate
	// endpoints by the name of the adapter that listens there.
	endpoints map[string]string
	known     []client
	static    []*goidc.Client
}

func (r *registry) add(name string, method goidc.AuthnMethod, alg, idTokenAlg goidc.SignatureAlgorithm, asked asked) {
	if asked.delivery == "" {
		asked.delivery = goidc.CIBADeliveryModePoll
	}
	known := client{
		Name: name, ID: name, Issuer: r.issuer, Method: method, Alg: alg, Signed: asked.signed, IDTokenAlg: idTokenAlg,
		Delivery: string(asked.delivery), Certificate: asked.certificate, Fapi: r.fapi, Notification: r.endpoints[asked.adapter],
	}
	registered := &goidc.Client{ID: name, ClientMeta: goidc.ClientMeta{
		GrantTypes:               []goidc.GrantType{goidc.GrantCIBA},
		ScopeIDs:                 "openid accounts",
		TokenAuthnMethod:         method,
		TokenAuthnSigAlg:         alg,
		IDTokenSigAlg:            idTokenAlg,
		CIBATokenDeliveryMode:    asked.delivery,
		CIBANotificationEndpoint: known.Notification,
		CIBAJARSigAlg:            asked.signed,
		AuthDetailTypes:          []goidc.AuthDetailType{"payment"},
	}}
	if asked.refresh {
		registered.GrantTypes = append(registered.GrantTypes, goidc.GrantRefreshToken)
	}
	var keys []goidc.JSONWebKey
	if method == goidc.AuthnMethodPrivateKeyJWT || asked.signed != "" {
		signs := alg
		if asked.signed != "" {
			signs = asked.signed
		}
		key := newKey(signs, name+"-key")
		known.Key = &key
		keys = append(keys, key.Public())
	}
	if certificate := r.certificates[asked.certificate]; certificate != nil {
		hash := sha256.Sum256(certificate.Raw)
		known.Thumbprint = base64.RawURLEncoding.EncodeToString(hash[:])
		registered.TLSTokenBindingIsRequired = true
		registered.TLSSubjectDistinguishedName = certificate.Subject.String()
		if method == goidc.AuthnMethodSelfSignedTLS {
			keys = append(keys, goidc.JSONWebKey{Key: certificate.PublicKey, CertificateThumbprintSHA256: hash[:]})
		}
	}
	if keys != nil {
		registered.JWKS = &goidc.JSONWebKeySet{Keys: keys}
	}
	if strings.HasPrefix(string(method), "client_secret") {
		secret := make([]byte, 48)
		_, _ = rand.Read(secret)
		// The library takes the header as it is, without decoding it (RFC 6749, 2.3.1 asks for that).
		known.RawBasic = method == goidc.AuthnMethodSecretBasic
		known.Secret = base64.StdEncoding.EncodeToString(secret) + ":% +"
		registered.Secret = known.Secret
	}
	r.known = append(r.known, known)
	r.static = append(r.static, registered)
}

// impostor adds a client that is registered with another key or, where it has none, another secret.
func (r *registry) impostor(name, of string) {
	for _, known := range r.known {
		if known.Name != of {
			continue
		}
		known.Name = name
		if known.Key != nil {
			key := newKey(goidc.SignatureAlgorithm(known.Key.Algorithm), known.Key.KeyID)
			known.Key = &key
		} else {
			known.Secret = strings.ToUpper(known.Secret)
		}
		r.known = append(r.known, known)
		return
	}
}

var rsaKey *rsa.PrivateKey

// newKey makes a key for an algorithm. One RSA key serves them all, because making one takes a while, except the keys of
// generations of the provider, which are told apart by their ids.
func newKey(alg goidc.SignatureAlgorithm, id string) goidc.JSONWebKey {
	var key crypto.Signer
	switch alg {
	case goidc.ES256:
		key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case goidc.ES384:
		key, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case goidc.ES512:
		key, _ = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		if rsaKey == nil {
			rsaKey, _ = rsa.GenerateKey(rand.Reader, 2048)
		}
		key = rsaKey
	}
	return goidc.JSONWebKey{Key: key, KeyID: id, Algorithm: string(alg), Use: "sig"}
}
