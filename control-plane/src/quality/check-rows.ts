/** Why: the rows of the projection that one check adds, and those of forms that it saw first. */
import type { FactBody } from '@fleetloop/schemas';
import { row, type TableRow } from '../projection/tables.ts';

export function checkRows(body: FactBody<'recording.checked'>): readonly TableRow[] {
  const { recording, standard, verdict, findings, count, report } = body;
  const check = row('checks', {
    recording,
    standard: standard.name,
    standard_version: standard.version,
    verdict,
    infos: count.info,
    warnings: count.warning,
    errors: count.error,
    report,
  });
  const rows = findings.map(({ fromNs, toNs, ...finding }, position) =>
    row('findings', {
      ...finding,
      recording,
      position,
      from_ns: fromNs,
      to_ns: toNs,
      verdict,
      standard: standard.name,
    }),
  );
  return [check, ...rows];
}

export function formRows(body: FactBody<'form.introduced'>): readonly TableRow[] {
  const { recording, vehicleId, hardwareRevision, softwareName, softwareVersion, generator, topics } = body;
  const origin = {
    recording,
    vehicle_id: vehicleId,
    hardware_revision: hardwareRevision,
    software_name: softwareName,
    software_version: softwareVersion,
    generator,
  };
  return topics.map(({ topic, encoding, schemaName, schema, fields, rateHz }) =>
    row('forms', {
      ...origin,
      topic,
      encoding,
      schema_name: schemaName,
      schema_digest: schema,
      fields,
      rate_hz: rateHz,
    }),
  );
}
