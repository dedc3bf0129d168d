"""One application as AWS describes it, as CloudFormation and as Terraform."""

import json
from typing import Any

SQL = (
    'CREATE OR REPLACE STREAM "HIGH" (ticker VARCHAR(4), name VARCHAR(20));\n'
    'CREATE OR REPLACE PUMP "P" AS INSERT INTO "HIGH"\n'
    'SELECT STREAM t."TICKER", c."Name" FROM "TICKS_001" AS t JOIN "Companies" AS c ON t."TICKER" = c."Ticker";'
)
SCHEMA = {
    "RecordFormat": {
        "RecordFormatType": "JSON",
        "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$.rows[0:]"}},
    },
    "RecordEncoding": "UTF-8",
    "RecordColumns": [{"Name": "TICKER", "SqlType": "VARCHAR(4)", "Mapping": "$.ticker"}],
}
REFERENCE_SCHEMA = {
    "RecordFormat": {
        "RecordFormatType": "CSV",
        "MappingParameters": {
            "CSVMappingParameters": {"RecordRowDelimiter": "\\n", "RecordColumnDelimiter": ","}
        },
    },
    "RecordColumns": [
        {"Name": "Ticker", "SqlType": "VARCHAR(4)"},
        {"Name": "Name", "SqlType": "VARCHAR(20)"},
    ],
}
ARN = "arn:aws:{}:eu-west-1:123456789012:{}"


def description(version: int) -> dict[str, Any]:
    """What describe-application gives."""
    parts = {
        "InputDescriptions": [
            {
                "InputId": "1.1",
                "NamePrefix": "TICKS",
                "InAppStreamNames": ["TICKS_001", "TICKS_002"],
                "InputProcessingConfigurationDescription": {
                    "InputLambdaProcessorDescription": {
                        "ResourceARN": ARN.format("lambda", "function:unzip"),
                        "RoleARN": "arn:aws:iam::1:role/r",
                    }
                },
                "KinesisStreamsInputDescription": {"ResourceARN": ARN.format("kinesis", "stream/ticks")},
                "InputSchema": SCHEMA,
                "InputParallelism": {"Count": 2},
            }
        ],
        "OutputDescriptions": [
            {
                "Name": "HIGH",
                "LambdaOutputDescription": {"ResourceARN": ARN.format("lambda", "function:alert:live")},
                "DestinationSchema": {"RecordFormatType": "JSON"},
            }
        ],
        "ReferenceDataSourceDescriptions": [
            {
                "TableName": "Companies",
                "S3ReferenceDataSourceDescription": {
                    "BucketARN": "arn:aws:s3:::lists",
                    "FileKey": "c.csv",
                },
                "ReferenceSchema": REFERENCE_SCHEMA,
            }
        ],
    }
    if version == 1:
        return {"ApplicationDetail": {"ApplicationName": "high-ticks", "ApplicationCode": SQL, **parts}}
    return {
        "ApplicationDetail": {
            "ApplicationName": "high-ticks",
            "RuntimeEnvironment": "SQL-1_0",
            "ApplicationConfigurationDescription": {
                "ApplicationCodeConfigurationDescription": {
                    "CodeContentType": "PLAINTEXT",
                    "CodeContentDescription": {"TextContent": SQL},
                },
                "SqlApplicationConfigurationDescription": parts,
            },
        }
    }


def template(version: int) -> str:
    """A CloudFormation template, YAML with short functions."""
    kind = "AWS::KinesisAnalytics" + ("V2" if version == 2 else "")
    code = "\n".join(" " * 10 + line for line in SQL.splitlines())
    inputs = """
          - NamePrefix: TICKS
            InputParallelism: {Count: 2}
            KinesisStreamsInput: {ResourceARN: !GetAtt Ticks.Arn, RoleARN: !GetAtt Role.Arn}
            InputProcessingConfiguration: {InputLambdaProcessor: {ResourceARN: !Ref Unzip}}
            InputSchema: """
    inputs += json.dumps(SCHEMA)
    properties = (
        f"ApplicationCode: |\n{code}\n      Inputs: {inputs}"
        if version == 1
        else "RuntimeEnvironment: SQL-1_0\n      ApplicationConfiguration:\n"
        f"        ApplicationCodeConfiguration: {{CodeContent: {{TextContent: {json.dumps(SQL)}}}}}\n"
        f"        SqlApplicationConfiguration:\n         Inputs: {inputs}"
    )
    return f"""
Parameters:
  Prefix: {{Type: String, Default: high}}
Resources:
  Ticks: {{Type: "AWS::Kinesis::Stream", Properties: {{Name: ticks}}}}
  Unzip: {{Type: "AWS::Lambda::Function", Properties: {{FunctionName: unzip}}}}
  Lists: {{Type: "AWS::S3::Bucket", Properties: {{BucketName: lists}}}}
  Application:
    Type: {kind}::Application
    Properties:
      ApplicationName: !Sub "${{Prefix}}-ticks"
      {properties}
  Output:
    Type: {kind}::ApplicationOutput
    Properties:
      ApplicationName: !Ref Application
      Output:
        Name: HIGH
        DestinationSchema: {{RecordFormatType: JSON}}
        LambdaOutput: {{ResourceARN: "arn:aws:lambda:eu-west-1:123456789012:function:alert", RoleARN: x}}
  Reference:
    Type: {kind}::ApplicationReferenceDataSource
    Properties:
      ApplicationName: !Ref Application
      ReferenceDataSource:
        TableName: Companies
        S3ReferenceDataSource: {{BucketARN: !GetAtt Lists.Arn, FileKey: c.csv}}
        ReferenceSchema: {json.dumps(REFERENCE_SCHEMA)}
"""


TERRAFORM = {
    1: """
resource "aws_kinesis_stream" "ticks" { name = "ticks" }
resource "aws_kinesis_analytics_application" "app" {
  name = "high-ticks"
  code = file("${path.module}/high.sql")
  inputs {
    name_prefix = "TICKS"
    parallelism { count = 2 }
    kinesis_stream {
      resource_arn = aws_kinesis_stream.ticks.arn
      role_arn     = aws_iam_role.r.arn
    }
    processing_configuration {
      lambda {
        resource_arn = "arn:aws:lambda:eu-west-1:123456789012:function:unzip"
        role_arn     = aws_iam_role.r.arn
      }
    }
    schema {
      record_columns {
        name     = "TICKER"
        sql_type = "VARCHAR(4)"
        mapping  = "$.ticker"
      }
      record_format {
        mapping_parameters {
          json { record_row_path = "$.rows[0:]" }
        }
      }
    }
  }
  outputs {
    name = "HIGH"
    schema { record_format_type = "JSON" }
    lambda {
      resource_arn = "arn:aws:lambda:eu-west-1:123456789012:function:alert"
      role_arn     = aws_iam_role.r.arn
    }
  }
  reference_data_sources {
    table_name = "Companies"
    s3 {
      bucket_arn = "arn:aws:s3:::lists"
      file_key   = "c.csv"
      role_arn   = aws_iam_role.r.arn
    }
    schema {
      record_columns {
        name     = "Ticker"
        sql_type = "VARCHAR(4)"
      }
      record_columns {
        name     = "Name"
        sql_type = "VARCHAR(20)"
      }
      record_format {
        record_format_type = "CSV"
        mapping_parameters {
          csv {
            record_column_delimiter = ","
            record_row_delimiter    = "\\n"
          }
        }
      }
    }
  }
}
""",
    2: """
resource "aws_kinesisanalyticsv2_application" "app" {
  name                = "high-ticks"
  runtime_environment = "SQL-1_0"
  application_configuration {
    application_code_configuration {
      code_content {
        text_content = <<-EOT
          SQL_TEXT
        EOT
      }
      code_content_type = "PLAINTEXT"
    }
    sql_application_configuration {
      input {
        name_prefix = "TICKS"
        input_parallelism { count = 2 }
        kinesis_streams_input { resource_arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/ticks" }
        input_processing_configuration {
          input_lambda_processor { resource_arn = "arn:aws:lambda:eu-west-1:123456789012:function:unzip" }
        }
        input_schema {
          record_column {
            name     = "TICKER"
            sql_type = "VARCHAR(4)"
            mapping  = "$.ticker"
          }
          record_format {
            record_format_type = "JSON"
            mapping_parameters {
              json_mapping_parameters { record_row_path = "$.rows[0:]" }
            }
          }
        }
      }
      output {
        name = "HIGH"
        destination_schema { record_format_type = "JSON" }
        lambda_output { resource_arn = "arn:aws:lambda:eu-west-1:123456789012:function:alert" }
      }
      reference_data_source {
        table_name = "Companies"
        s3_reference_data_source {
          bucket_arn = "arn:aws:s3:::lists"
          file_key   = "c.csv"
        }
        reference_schema {
          record_column {
            name     = "Ticker"
            sql_type = "VARCHAR(4)"
          }
          record_column {
            name     = "Name"
            sql_type = "VARCHAR(20)"
          }
          record_format {
            record_format_type = "CSV"
            mapping_parameters {
              csv_mapping_parameters {
                record_column_delimiter = ","
                record_row_delimiter    = "\\n"
              }
            }
          }
        }
      }
    }
  }
}
""",
}
