/** Why: the part of the lineage that is about recordings: what they hold, where they came from, and by which standard they were judged. */
import { assertNever, type FactBody, type LedgerEntry } from '@fleetloop/schemas';
import { edge, lineage, type Lineage, type LineageEdge, type LineageNode, node, nodeId } from './lineage.ts';

type RecordingEntry = Extract<
  LedgerEntry,
  { readonly kind: `recording.${'accepted' | 'quarantined' | 'checked' | 'released'}` | 'label.assigned' }
>;
type Find = (name: string) => string;

/** `find` gives the node that a name stood for. */
export function lineageOfRecordings(entry: RecordingEntry, find: Find): Lineage {
  switch (entry.kind) {
    case 'recording.accepted':
      return ofRecording(entry.body, find);
    case 'recording.quarantined':
      return ofQuarantine(entry.body);
    case 'recording.checked':
      return ofCheck(entry.body);
    case 'recording.released': {
      const { recording, quarantine, reason } = entry.body;
      const id = nodeId.release(quarantine);
      return lineage(
        [node('release', id, 'taken in against the standard', { by: entry.actor, reason })],
        [edge(nodeId.recording(recording), 'allowed_by', id), edge(id, 'undoes', nodeId.quarantine(recording))],
      );
    }
    case 'label.assigned': {
      const { recording, label, annotator, method } = entry.body;
      const id = nodeId.label(recording, label);
      return lineage(
        [node('label', id, label, { annotator, method })],
        [edge(id, 'describes', nodeId.recording(recording))],
      );
    }
    default:
      return assertNever(entry);
  }
}

function ofRecording(body: FactBody<'recording.accepted'>, find: Find): Lineage {
  const { recording, source, messages, metadata } = body;
  const id = nodeId.recording(recording);
  const vehicle = nodeId.vehicle(metadata.vehicle.id);
  const { hardwareRevision } = metadata.vehicle;
  const synthetic = metadata.circumstances?.synthetic;
  const detail = { source, messages, hardwareRevision, ...(synthetic === undefined ? {} : { synthetic }) };
  const self = node('recording', id, metadata.session.name, detail);
  const origin = originOf(id, body);
  const answers = [
    ...(metadata.brief === undefined ? [] : [edge(id, 'answers', nodeId.brief(metadata.brief))]),
    ...(metadata.pull === undefined ? [] : [edge(id, 'answers', nodeId.pull(metadata.pull))]),
    ...origin.edges,
  ];
  if (metadata.event === undefined)
    return lineage([self, ...origin.nodes], [edge(id, 'recorded_by', vehicle), ...answers]);
  const event = nodeId.event(metadata.event.id);
  const { startNs, endNs, triggers, campaigns } = metadata.event;
  const asked = campaigns.map((campaign) => edge(event, 'asked_for_by', find(`campaign:${campaign}`)));
  const captured = node('event', event, metadata.session.name, { startNs, endNs, triggers: triggers.length });
  return lineage(
    [self, captured, ...origin.nodes],
    [edge(id, 'holds', event), edge(event, 'captured_by', vehicle), ...asked, ...answers],
  );
}

/** What made a recording that no vehicle sent: an import of source files, and the generator of a simulated one. */
function originOf(
  recording: string,
  { importKey, metadata }: FactBody<'recording.accepted'>,
): { readonly nodes: readonly LineageNode[]; readonly edges: readonly LineageEdge[] } {
  const nodes: LineageNode[] = [];
  if (importKey !== undefined)
    nodes.push(node('import', nodeId.import(importKey), metadata.session.name, { importKey }));
  const synthetic = metadata.circumstances?.synthetic;
  if (synthetic !== undefined) {
    const { generator, version } = synthetic;
    nodes.push(node('generator', nodeId.generator(generator, version), `${generator} ${version}`, {}));
  }
  return { nodes, edges: nodes.map(({ id }) => edge(recording, 'produced_by', id)) };
}

/** A quarantined upload is a node of its own: what it claims to be is not to be believed. */
function ofQuarantine(body: FactBody<'recording.quarantined'>): Lineage {
  const { recording, vehicleId, eventId, code, message, source, report } = body;
  const id = nodeId.quarantine(recording);
  const self = node('quarantine', id, code, { message, source, eventId });
  const recorded = vehicleId === '' ? [] : [edge(id, 'recorded_by', nodeId.vehicle(vehicleId))];
  if (report === undefined) return lineage([self], recorded);
  const check = node('check', nodeId.check(report), 'quarantined', {});
  return lineage([self, check], [...recorded, edge(id, 'judged_by', check.id)]);
}

/**
 * A recording was taken in because of its check, and with it all that is made of the recording: against the edges, a
 * standard leads to whatever rests on its judgement.
 */
function ofCheck({ recording, standard, verdict, findings, count, report }: FactBody<'recording.checked'>): Lineage {
  const [id, judge] = [nodeId.check(report), nodeId.standard(standard.digest)];
  const name = `${standard.name}@${standard.version}`;
  const rules = [...new Set(findings.map(({ rule, severity }) => `${severity} ${rule}`))];
  return lineage(
    [node('check', id, verdict, { standard: name, count, rules }), node('standard', judge, name, {})],
    [edge(nodeId.recording(recording), 'judged_by', id), edge(id, 'judged_by', judge)],
  );
}
