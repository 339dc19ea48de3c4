/** The console: one read-only page over the API, so that a person sees the fleet without a command line. No build, no framework. */

const STYLE = `
  :root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
  body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; }
  h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
  table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .6rem .25rem 0; vertical-align: top; }
  th { font-weight: 600; border-bottom: 1px solid color-mix(in srgb, currentColor 30%, transparent); }
  tr:nth-child(even) td { background: color-mix(in srgb, currentColor 4%, transparent); }
  .passed, .healthy, .confirmed, .verified { color: #1a7f37; } .failed, .aborted, .rolled_back, .degraded, .error { color: #c5221f; }
  .empty { opacity: .6; } code { font-size: .9em; }
`;

const SCRIPT = `
  const token = new URLSearchParams(location.search).get('token') ?? '';
  const get = async (path) => {
    const reply = await fetch(path, { headers: { authorization: 'Bearer ' + token } });
    if (!reply.ok) throw new Error(path + ': ' + (await reply.json()).message);
    return reply.json();
  };
  const short = (digest) => (digest ?? '–').replace('sha256:', '').slice(0, 12);
  const views = [
    ['Vehicles', '/v1/vehicles', 'vehicles', async (v) => {
      const { reported } = await get('/v1/vehicles/' + v.vehicleId);
      const slot = reported?.model.slots.find((each) => each.slot === reported.model.activeSlot);
      return { vehicle: v.vehicleId, hardware: v.hardwareRevision, place: v.place, 'to upload': reported?.uplink.spooled, verified: reported?.uplink.verified, bundle: short(slot?.bundle), variant: slot?.variant, state: slot?.state };
    }],
    ['Recordings', '/v1/recordings?limit=20', 'recordings', (r) => ({ recording: short(r.recording), vehicle: r.vehicle, session: r.session, source: r.source, label: r.label, circumstances: [r.timeOfDay, r.weather, r.placeClass, r.synthetic ? 'made by ' + r.generator : ''].filter(Boolean).join(', '), seconds: r.durationSeconds.toFixed(1), bytes: r.sizeBytes })],
    ['Datasets', '/v1/datasets', 'datasets', (d) => ({ dataset: d.dataset + '/' + d.version, digest: short(d.digest), recordings: d.document?.recordings?.length ?? d.recordings })],
    ['Gates', '/v1/gates', 'gates', (g) => ({ model: g.modelName + '@' + g.modelVersion, verdict: g.result.verdict, overall: g.result.overall.toFixed(3), 'decided by': g.result.decidedBy })],
    ['Rollouts', '/v1/rollouts', 'rollouts', (r) => ({ rollout: r.rolloutId, phase: r.phase, updated: r.finished?.updated.join(' ') ?? '–', 'rolled back': r.finished?.rolledBack.join(' ') ?? '–' })],
    ['Anomalies', '/v1/anomalies', 'anomalies', (a) => ({ anomaly: a.anomalyId, hardware: a.hardwareRevision, vehicles: a.vehicles.join(' '), feature: a.feature, since: a.since })],
  ];
  const cell = (value) => { const td = document.createElement('td'); td.textContent = String(value ?? '–'); td.className = /^[a-z_]+$/.test(String(value)) ? String(value) : ''; return td; };
  const draw = async ([title, path, key, columns]) => {
    const section = document.getElementById(key);
    try {
      const rows = await Promise.all((await get(path))[key].map(columns));
      const table = document.createElement('table');
      const head = table.createTHead().insertRow();
      for (const name of Object.keys(rows[0] ?? {})) { const th = document.createElement('th'); th.textContent = name; head.append(th); }
      for (const row of rows) table.createTBody().insertRow().append(...Object.values(row).map(cell));
      section.replaceChildren(rows.length > 0 ? table : Object.assign(document.createElement('p'), { className: 'empty', textContent: 'none yet' }));
    } catch (error) { section.textContent = error.message; }
  };
  for (const [title, , key] of views) {
    const heading = Object.assign(document.createElement('h2'), { textContent: title });
    document.body.append(heading, Object.assign(document.createElement('section'), { id: key }));
  }
  const refresh = () => Promise.all(views.map(draw));
  refresh(); setInterval(refresh, 3000);
`;

/** The page; it reads the API with the token in its own address. */
export const CONSOLE_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>fleetloop</title><meta name="viewport" content="width=device-width"><style>${STYLE}</style></head>
<body><h1>fleetloop</h1><script type="module">${SCRIPT}</script></body>
</html>
`;
