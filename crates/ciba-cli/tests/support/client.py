"""A CIBA client of Python's standard library: ISSUER, client id and secret are its arguments."""

import base64, hashlib, hmac, json, sys, time, urllib.error, urllib.parse, urllib.request, uuid

issuer, client_id, secret = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def call(url, form=None):
    try:
        with opener.open(url, urllib.parse.urlencode(form).encode() if form else None, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def authenticated(**form):
    header = b64(b'{"alg":"HS256","typ":"JWT"}')
    # No iat: it is optional.
    claims = {"iss": client_id, "sub": client_id, "aud": [issuer], "jti": str(uuid.uuid4()), "exp": int(time.time()) + 60}
    signed = header + "." + b64(json.dumps(claims).encode())
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {**form, "client_assertion_type": kind, "client_assertion": signed + "." + b64(mac)}


metadata = call(issuer + "/.well-known/openid-configuration")
assert metadata["authorization_endpoint"] and metadata["response_types_supported"]
hint = dict(scope="openid offline_access", login_hint="approve-after:1", requested_expiry="60")
acknowledged = call(metadata["backchannel_authentication_endpoint"], authenticated(**hint))
grant = dict(grant_type="urn:openid:params:grant-type:ciba", auth_req_id=acknowledged["auth_req_id"])
tokens = call(metadata["token_endpoint"], authenticated(**grant))
assert tokens == {**tokens, "error": "authorization_pending"}, tokens
time.sleep(acknowledged.get("interval", 5))
tokens = call(metadata["token_endpoint"], authenticated(**grant))
refreshed = authenticated(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
tokens = call(metadata["token_endpoint"], refreshed)
claims = tokens["id_token"].split(".")[1]
print(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])
