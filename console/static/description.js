// application.json: what an application of KDA's form reads and where its rows go.

export const FILE = "application.json";
const STREAM = "KinesisStreamsInput", FIREHOSE = "KinesisFirehoseInput";
export const TARGETS = {
  lambda: ["Lambda function", "LambdaOutput", "ResourceARN"], kinesis: ["Kinesis stream", "KinesisStreamsOutput", "ResourceARN"],
  firehose: ["Firehose delivery stream", "KinesisFirehoseOutput", "ResourceARN"], dynamodb: ["DynamoDB table", "DynamoDBOutput", "TableName"], s3: ["S3", "S3Output", "Path"],
};

// Returns null if the file is not valid JSON, which the user has to fix.
export function read(files) {
  try {
    const tree = JSON.parse(files[FILE] || "{}");
    return tree && typeof tree === "object" && !Array.isArray(tree) ? tree : null;
  } catch {
    return null;
  }
}

export const write = (draft, tree) => draft.edit(FILE, `${JSON.stringify(tree, null, 2)}\n`);

// A name, without the rest of an ARN.
export const named = (resource) => (resource?.startsWith("arn:") ? resource.split(":").pop().replace(/^(stream|deliverystream|function|table)\//, "") : resource || "");

export const emptySchema = () => ({ RecordFormat: { RecordFormatType: "JSON", MappingParameters: { JSONMappingParameters: { RecordRowPath: "$" } } }, RecordEncoding: "UTF-8", RecordColumns: [] });

export const inputs = (tree) => (Array.isArray(tree?.Inputs) && tree.Inputs.length ? tree.Inputs : [{}]);

export function inputOf(tree, number = 0) {
  const found = inputs(tree)[number] || {};
  const kind = found[FIREHOSE] ? "firehose" : "kinesis";
  const { RecordFormat, RecordColumns, ...rest } = found.InputSchema || {};
  return {
    path: found[FIREHOSE]?.Path || "", names: found.InAppStreamNames || [`SOURCE_SQL_STREAM_${String(number + 1).padStart(3, "0")}`], kind, stream: named(found[kind === "firehose" ? FIREHOSE : STREAM]?.ResourceARN),
    preprocess: named(found.InputProcessingConfiguration?.InputLambdaProcessor?.ResourceARN), schema: { ...emptySchema(), ...rest, ...(RecordFormat ? { RecordFormat } : {}), RecordColumns: RecordColumns || [] },
  };
}

export function withInput(tree, input, number = 0) {
  const all = [...inputs(tree)];
  const { [STREAM]: stream, [FIREHOSE]: landing, InputProcessingConfiguration: first, ...rest } = all[number] || {};
  // An ARN is kept while its name does not change.
  const kept = (before, name) => (before && named(before) === name ? before : name);
  all[number] = {
    ...rest, InAppStreamNames: input.names,
    ...(input.stream ? { [input.kind === "firehose" ? FIREHOSE : STREAM]: { ResourceARN: kept((input.kind === "firehose" ? landing : stream)?.ResourceARN, input.stream), ...(input.kind === "firehose" && input.path ? { Path: input.path } : {}) } } : {}),
    ...(input.preprocess ? { InputProcessingConfiguration: { InputLambdaProcessor: { ResourceARN: kept(first?.InputLambdaProcessor?.ResourceARN, input.preprocess) } } } : {}),
    InputSchema: input.schema,
  };
  return { ...tree, Inputs: all };
}

export function outputsOf(tree) {
  return (tree?.Outputs || []).map((output) => {
    const [type, [, field, inner]] = Object.entries(TARGETS).find(([, [, each]]) => output[each]) || ["kinesis", TARGETS.kinesis];
    return { of: output.Name || "", type, name: named(output[field]?.[inner]), key: output.Key || "", format: output.DestinationSchema?.RecordFormatType || "JSON", whole: output };
  });
}

export function withOutputs(tree, outputs) {
  return {
    ...tree,
    Outputs: outputs.map(({ of, type, name, key, format, whole = {} }) => {
      const [, field, inner] = TARGETS[type], before = whole[field]?.[inner];
      return { Name: of, [field]: { [inner]: before && named(before) === name ? before : name }, ...(key ? { Key: key } : {}), DestinationSchema: { RecordFormatType: format } };
    }),
  };
}

export function referencesOf(tree) {
  return (tree?.ReferenceDataSources || []).map((each) => ({
    table: each.TableName || "", bucket: (each.S3ReferenceDataSource?.BucketARN || "").replace(/^arn:.*:::/, ""), key: each.S3ReferenceDataSource?.FileKey || "", schema: each.ReferenceSchema || emptySchema(),
  }));
}

export const withReferences = (tree, references) => ({
  ...tree,
  ReferenceDataSources: references.map(({ table, bucket, key, schema }) => ({ TableName: table, S3ReferenceDataSource: { BucketARN: bucket, FileKey: key }, ReferenceSchema: schema })),
});
