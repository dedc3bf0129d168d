// application.json: what an application of KDA's form reads and where its rows go, in describe-application's shape.

export const FILE = "application.json";
const STREAM = "KinesisStreamsInputDescription", FIREHOSE = "KinesisFirehoseInputDescription";
export const TARGETS = {
  kinesis: ["Kinesis stream", "KinesisStreamsOutputDescription", "ResourceARN"], firehose: ["Firehose delivery stream", "KinesisFirehoseOutputDescription", "ResourceARN"],
  lambda: ["Lambda function", "LambdaOutputDescription", "ResourceARN"], dynamodb: ["DynamoDB table", "DynamoDBOutputDescription", "TableName"], s3: ["S3", "S3OutputDescription", "Path"],
};

// null: the file can't be read as JSON, and a person has to mend it.
export function read(files) {
  try {
    return JSON.parse(files[FILE] || "{}");
  } catch {
    return null;
  }
}

export const write = (draft, tree) => draft.edit(FILE, `${JSON.stringify(tree, null, 2)}\n`);

// A name, without the rest of an ARN.
export const named = (resource) => (resource?.startsWith("arn:") ? resource.split(":").pop().replace(/^(stream|deliverystream|function|table)\//, "") : resource || "");

export function inputOf(tree) {
  const found = tree?.InputDescriptions?.[0] || {};
  const kind = found[FIREHOSE] ? "firehose" : "kinesis";
  return {
    prefix: found.NamePrefix || "SOURCE_SQL_STREAM", kind, stream: named(found[kind === "firehose" ? FIREHOSE : STREAM]?.ResourceARN),
    preprocess: named(found.InputProcessingConfigurationDescription?.InputLambdaProcessorDescription?.ResourceARN), schema: found.InputSchema || emptySchema(), count: found.InputParallelism?.Count || 1,
  };
}

export function withInput(tree, input) {
  const before = tree.InputDescriptions?.[0] || {};
  const { [STREAM]: _s, [FIREHOSE]: _f, InputProcessingConfigurationDescription: _p, ...rest } = before;
  const after = {
    ...rest, NamePrefix: input.prefix, [input.kind === "firehose" ? FIREHOSE : STREAM]: { ResourceARN: input.stream }, InputSchema: input.schema, InputParallelism: { Count: input.count },
    ...(input.preprocess ? { InputProcessingConfigurationDescription: { InputLambdaProcessorDescription: { ResourceARN: input.preprocess } } } : {}),
  };
  return { ...tree, InputDescriptions: [after, ...(tree.InputDescriptions || []).slice(1)] };
}

export const emptySchema = () => ({ RecordFormat: { RecordFormatType: "JSON", MappingParameters: { JSONMappingParameters: { RecordRowPath: "$" } } }, RecordEncoding: "UTF-8", RecordColumns: [] });

export function outputsOf(tree) {
  return (tree?.OutputDescriptions || []).map((output) => {
    const [type, [, key, inner]] = Object.entries(TARGETS).find(([, [, field]]) => output[field]) || ["kinesis", TARGETS.kinesis];
    return { of: output.Name || "", type, name: named(output[key]?.[inner]), key: output[key]?.Key || "", format: output.DestinationSchema?.RecordFormatType || "JSON", whole: output };
  });
}

export function withOutputs(tree, outputs) {
  return {
    ...tree,
    OutputDescriptions: outputs.map(({ of, type, name, key, format, whole = {} }) => {
      const rest = Object.fromEntries(Object.entries(whole).filter(([field]) => !Object.values(TARGETS).some(([, known]) => known === field)));
      const [, field, inner] = TARGETS[type];
      // What stands there as an ARN stays one while its name is the same.
      const before = whole[field]?.[inner];
      return { ...rest, Name: of, [field]: { [inner]: named(before) === name && before ? before : name, ...(type === "dynamodb" && key ? { Key: key } : {}) }, DestinationSchema: { RecordFormatType: format } };
    }),
  };
}

export function referencesOf(tree) {
  return (tree?.ReferenceDataSourceDescriptions || []).map((each) => ({
    table: each.TableName || "", bucket: named(each.S3ReferenceDataSourceDescription?.BucketARN)?.replace(/^.*:::/, ""), key: each.S3ReferenceDataSourceDescription?.FileKey || "", schema: each.ReferenceSchema || emptySchema(), whole: each,
  }));
}

export const withReferences = (tree, references) => ({
  ...tree,
  ReferenceDataSourceDescriptions: references.map(({ table, bucket, key, schema, whole = {} }) => ({
    ...whole, TableName: table, S3ReferenceDataSourceDescription: { BucketARN: `arn:aws:s3:::${bucket}`, FileKey: key }, ReferenceSchema: schema,
  })),
});
