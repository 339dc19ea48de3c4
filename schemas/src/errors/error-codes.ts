/** The one table of error codes (`STAGE_WHAT`); a code is never reused for another meaning. */

type ErrorDefinition = { readonly httpStatus: number; readonly retryable: boolean; readonly meaning: string };

const define = (httpStatus: number, retryable: boolean, meaning: string): ErrorDefinition => ({
  httpStatus,
  retryable,
  meaning,
});

export const ERROR_TABLE = {
  INTERNAL_UNEXPECTED: define(500, false, 'a failure nobody foresaw; the cause is attached'),
  CONFIG_INVALID: define(400, false, 'a configuration value is missing, unknown or out of range'),
  REQUEST_INVALID: define(400, false, 'a request body or parameter does not match its schema'),
  NOT_FOUND: define(404, false, 'nothing with that id exists'),
  UNAUTHENTICATED: define(401, false, 'no valid token was given'),
  FORBIDDEN: define(403, false, 'the actor may not do this'),

  API_UNAVAILABLE: define(503, true, 'the HTTP API of the control plane does not answer'),

  SOURCE_NOT_FOUND: define(404, false, 'a source file does not exist or cannot be read'),
  SOURCE_FORMAT: define(400, false, 'a source is not in the format that its mapping names'),
  SOURCE_COLUMN_MISSING: define(400, false, 'a column that the mapping names is not in the file'),
  SOURCE_COLUMN_DUPLICATE: define(400, false, 'a column name occurs twice in the file'),
  SOURCE_VALUE_INVALID: define(400, false, 'a cell is not a number or time of the declared kind'),
  SOURCE_ROW_INVALID: define(400, false, 'a row has another number of cells than the header'),
  SOURCE_EMPTY: define(400, false, 'a source holds no rows'),
  SOURCE_LIMIT: define(413, false, 'a row, file or count is over its named maximum'),
  MAPPING_INVALID: define(400, false, 'a mapping file does not match its schema'),
  DBC_INVALID: define(400, false, 'a DBC file does not parse; the line is named'),
  SIGNAL_UNKNOWN: define(400, false, 'a path is neither in the VSS catalogue nor in the overlay'),
  UNIT_UNKNOWN: define(400, false, 'a unit is unknown or cannot be converted into the other'),

  CAMPAIGN_INVALID: define(400, false, 'a campaign document does not match its schema'),
  CAMPAIGN_SYNTAX: define(400, false, 'a trigger condition does not parse; the character is named'),
  CAMPAIGN_TYPE: define(400, false, 'a trigger condition does not type-check'),
  CAMPAIGN_COST: define(400, false, 'a trigger condition is over the cost bound'),
  CAMPAIGN_TARGET: define(400, false, 'a campaign names a vehicle that is not enrolled'),

  RECORD_WRITE: define(500, true, 'a recording could not be written'),
  SPOOL_CORRUPT: define(500, false, 'a spool file does not match its digest'),
  UPLINK_REFUSED: define(400, false, 'the control plane refused an upload for good'),
  UPLINK_UNAVAILABLE: define(503, true, 'the link or the control plane does not answer'),
  UPLINK_BUSY: define(503, true, 'the receiving stream is full: wait and try again'),
  UPLINK_FORBIDDEN: define(403, false, 'the link refuses a subject or the key of the vehicle'),

  INGEST_MANIFEST_MALFORMED: define(400, false, 'a manifest does not decode or breaks a limit'),
  INGEST_MANIFEST_SIGNATURE: define(403, false, 'the signature of a manifest does not verify'),
  INGEST_VEHICLE_UNKNOWN: define(403, false, 'the vehicle is not enrolled'),
  INGEST_VEHICLE_MISMATCH: define(403, false, 'a message speaks for another vehicle than its subject'),
  INGEST_CHUNK_DIGEST: define(400, false, 'the bytes of a chunk do not have the digest that it claims'),
  INGEST_RECORDING_DIGEST: define(400, false, 'the assembled recording does not have the digest of its manifest'),
  INGEST_MCAP_INVALID: define(400, false, 'a recording is truncated or not well-formed MCAP'),
  INGEST_METADATA_MISSING: define(400, false, 'a recording lacks a metadata record that it must carry'),
  INGEST_LIMIT: define(413, false, 'an upload is over a named maximum'),

  LEDGER_CONFLICT: define(409, true, 'somebody else wrote to the same subject first'),
  LEDGER_TAMPERED: define(500, false, 'the ledger does not match its checkpoint'),
  LEDGER_UNAVAILABLE: define(503, true, 'the ledger does not answer'),
  LEDGER_ENTRY_INVALID: define(400, false, 'a ledger entry does not match its schema'),
  BLOB_NOT_FOUND: define(404, false, 'no blob with that digest is stored'),
  BLOB_DIGEST: define(500, false, 'stored bytes do not have the digest that they are filed under'),

  FEATURE_SET_INVALID: define(400, false, 'a feature set does not match its schema'),
  FEATURE_INPUT_MISSING: define(400, false, 'a recording lacks a signal that a feature needs'),
  FEATURE_PARITY: define(500, false, 'the two engines differ by more than the tolerance'),
  DATASET_INVALID: define(400, false, 'a dataset specification does not match its schema'),
  DATASET_LEAKAGE: define(409, false, 'a held-out run is in the training split'),
  DATASET_EMPTY: define(409, false, 'a dataset specification selects no recording'),
  DATASET_LABEL_MISSING: define(409, false, 'a selected recording has no label'),
  DATASET_EXISTS: define(409, false, 'a dataset version of that name exists with other content'),
  IMPORT_INVALID: define(400, false, 'an import specification does not match its schema'),

  TRAINING_TRAINER_FAILED: define(500, false, 'the trainer exited with an error'),
  TRAINING_OUTPUT_INVALID: define(500, false, 'the trainer wrote something that breaks the contract'),
  TRAINING_TIMEOUT: define(504, true, 'the trainer ran past its limit'),
  TRAINING_MLFLOW: define(502, true, 'MLflow does not answer or refused'),
  EVALUATION_POLICY_INVALID: define(400, false, 'a gate policy does not match its schema'),
  EVALUATION_SLICE_UNKNOWN: define(400, false, 'a policy names a slice that no sample attribute can produce'),
  EVALUATION_DIGEST_MISSING: define(400, false, 'metrics came without the digest of their dataset or model'),
  EVALUATION_PREDICTIONS_INVALID: define(400, false, 'predictions do not match the samples of the dataset'),
  APPROVAL_SELF: define(403, false, 'the proposer cannot approve'),
  APPROVAL_VOID: define(409, false, 'the approval names other digests than the promotion'),
  APPROVAL_NOT_PENDING: define(409, false, 'nothing waits for that approval'),
  APPROVAL_GATE: define(409, false, 'the newest gate of the model version has not passed'),

  PACKAGE_SIGNATURE: define(403, false, 'the signature of a bundle or director document does not verify'),
  PACKAGE_DIGEST: define(400, false, 'a file of a bundle does not have its digest'),
  PACKAGE_INVALID: define(400, false, 'a bundle does not match its schema'),
  INSTALL_COUNTER: define(409, false, 'a director document has a lower counter than one seen before'),
  INSTALL_INCOMPATIBLE: define(409, false, 'a bundle does not fit this vehicle'),
  INSTALL_GOLDEN: define(500, false, 'a variant does not reproduce the golden outputs'),
  INSTALL_LATENCY: define(500, false, 'no variant stays within the latency budget'),
  INSTALL_FETCH: define(503, true, 'a blob of a bundle could not be fetched'),
  INFER_FAILED: define(500, false, 'an inference failed'),

  ROLLOUT_INVALID: define(400, false, 'a rollout specification does not match its schema'),
  ROLLOUT_NOT_APPROVED: define(409, false, 'the model version has no valid approval'),
  ROLLOUT_STATE: define(409, false, 'the rollout is in a phase in which this cannot be done'),
  FEEDBACK_TIMEOUT: define(504, false, 'a data brief did not get its recordings or labels until the deadline'),
  TRACE_UNKNOWN: define(404, false, 'no node of the lineage graph has that id'),
  TRACE_AMBIGUOUS: define(409, false, 'more than one node of the lineage graph starts with that id'),

  STACK_UNAVAILABLE: define(500, false, 'a server could not be found, installed or started'),
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof ERROR_TABLE;
