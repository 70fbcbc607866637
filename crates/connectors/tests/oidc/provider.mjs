// An independent OpenID Connect provider, and a person with a browser that signs in at it.
//
// Prints one JSON line with its issuer, then answers each JSON line on its standard input with one: where a
// browser ends up that signs in as `login`, or, to `keys`, that it signs with other keys from now on. Ends
// with its standard input.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
// It warns of its development settings on standard output, which is for answers here.
console.info = console.warn = () => {};

const key = (type, options, kid, alg) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), kid, alg, use: "sig" };
};

const server = createServer();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const client = (id, alg, more) => ({
  client_id: id,
  redirect_uris: ["https://quell.example.com/was-it-you/callback"],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  id_token_signed_response_alg: alg,
  ...more,
});
const provider = (generation) => new Provider(issuer, {
  clients: [
    client("quell", "RS256", { client_secret: "s3cret/+ :%" }),
    client("quell-elliptic", "ES256", { client_secret: "s3cret/+ :%" }),
    client("quell-public", "RS256", { token_endpoint_auth_method: "none" }),
  ],
  jwks: {
    keys: [
      key("rsa", { modulusLength: 2048 }, `rsa-${generation}`, "RS256"),
      key("ec", { namedCurve: "P-256" }, `ec-${generation}`, "ES256"),
    ],
  },
  cookies: { keys: ["only for tests"] },
  pkce: { required: () => true },
  // Else what the scopes ask for is only at the user info endpoint.
  conformIdTokenClaims: false,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: `person-${id}`,
      email: id,
      email_verified: !id.startsWith("unverified"),
    }),
  }),
});
let serve = provider("1").callback();
server.on("request", (request, response) => serve(request, response));
say({ issuer });

// Follows the provider's pages as a browser would, and stops where they lead back to the client.
async function signIn(address, login) {
  const jar = new Map();
  let url = address;
  let form;
  for (let step = 0; step < 20; step += 1) {
    const reply = await fetch(url, {
      method: form ? "POST" : "GET",
      body: form,
      redirect: "manual",
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
    });
    for (const cookie of reply.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      jar.set(name, value);
    }
    const location = reply.headers.get("location");
    if (location) {
      url = new URL(location, url).href;
      form = undefined;
      if (!url.startsWith(issuer)) return { back: url };
      continue;
    }
    const page = await reply.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (!prompt) return { refused: reply.status, page };
    form = new URLSearchParams(prompt === "login" ? { prompt, login, password: "x" } : { prompt });
  }
  return { refused: "it never ends" };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { keys, address, login } = JSON.parse(line);
  if (keys) {
    serve = provider(keys).callback();
    say({ keys });
    continue;
  }
  say(await signIn(address, login));
}
process.exit(0);
