// What oidc-provider remembers, shared by all instances: its own memory store begins anew with each, and a flow has to
// outlive a change of keys.
const entries = new Map();
const grants = new Map();

export class Storage {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload, expiresIn) {
    entries.set(`${this.model}:${id}`, { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.grantId) grants.set(payload.grantId, [...(grants.get(payload.grantId) ?? []), `${this.model}:${id}`]);
  }

  async find(id) {
    const entry = entries.get(`${this.model}:${id}`);
    return entry && entry.until > Date.now() ? entry.payload : undefined;
  }

  async consume(id) {
    const entry = entries.get(`${this.model}:${id}`);
    if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    entries.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId(grantId) {
    for (const key of grants.get(grantId) ?? []) entries.delete(key);
    grants.delete(grantId);
  }

  // Interactions and user codes do not occur in CIBA.
  async findByUid() {}

  async findByUserCode() {}
}
