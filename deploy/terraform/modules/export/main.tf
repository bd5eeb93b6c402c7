# Every night the audit records of the day before go to the bucket where they cannot be changed: one
# container of a task writes the file, another sends it.

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.name}-audit-export"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = aws_iam_role.task.arn
  # The schedule takes the newest revision: each deployment adds one with its image.
  skip_destroy = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  # Both see it; the image's own /tmp lends it its permissions.
  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([
    merge(var.container, {
      name      = "export"
      essential = false
      # By hand; the schedule names the file after its time.
      command = ["msil-mcp", "audit", "export", "--days", "1", "--output", "/tmp/audit-by-hand.jsonl"]
    }),
    {
      name                   = "upload"
      image                  = var.uploader_image
      essential              = true
      readonlyRootFilesystem = true
      command                = ["s3", "cp", "/tmp", "s3://${var.bucket_name}/exports/", "--recursive", "--no-progress", "--exclude", "*", "--include", "audit-*.jsonl"]
      dependsOn              = [{ containerName = "export", condition = "SUCCESS" }]
      environment            = [{ name = "HOME", value = "/tmp" }]
      mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
      logConfiguration       = var.container.logConfiguration
    },
  ])
}

resource "aws_scheduler_schedule" "this" {
  name                         = "${var.name}-audit-export"
  description                  = "The audit records of the day before, to the locked bucket"
  schedule_expression          = var.schedule
  schedule_expression_timezone = "UTC"
  kms_key_arn                  = var.key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.cluster_arn
    role_arn = aws_iam_role.scheduler.arn

    ecs_parameters {
      # Without its revision: the latest.
      task_definition_arn = aws_ecs_task_definition.this.arn_without_revision
      launch_type         = "FARGATE"

      network_configuration {
        subnets          = var.subnet_ids
        security_groups  = var.security_group_ids
        assign_public_ip = false
      }
    }

    input = jsonencode({
      containerOverrides = [{
        name    = "export"
        command = ["msil-mcp", "audit", "export", "--days", "1", "--output", "/tmp/audit-before-<aws.scheduler.scheduled-time>.jsonl"]
      }]
    })

    retry_policy {
      maximum_retry_attempts       = 5
      maximum_event_age_in_seconds = 14400
    }
  }
}

# What the AWS CLI says of a file it has sent.
resource "aws_cloudwatch_log_metric_filter" "sent" {
  name           = "audit-exported"
  log_group_name = var.log_group_name
  pattern        = "\"upload:\" \"s3://${var.bucket_name}/exports/\""

  metric_transformation {
    namespace     = "msil-mcp/${var.name}"
    name          = "audit-exported"
    value         = "1"
    default_value = "0"
  }
}

# A day and two hours, so that a night that is a little late is none that is missing.
resource "aws_cloudwatch_metric_alarm" "missing" {
  alarm_name          = "${var.name}-audit-export-missing"
  alarm_description   = "No audit records came to the locked bucket for more than a day; in a new environment, not yet. docs/guides/ecs.md"
  namespace           = "msil-mcp/${var.name}"
  metric_name         = aws_cloudwatch_log_metric_filter.sent.name
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 26
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

data "aws_iam_policy_document" "task_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

data "aws_iam_policy_document" "task" {
  # Neither reading nor deleting: it can only add.
  statement {
    sid       = "Add"
    actions   = ["s3:PutObject"]
    resources = ["${var.bucket_arn}/exports/*"]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = [var.key_arn]
  }
}

resource "aws_iam_role" "task" {
  name_prefix        = "${substr(var.name, 0, 20)}-export-"
  assume_role_policy = data.aws_iam_policy_document.task_assume.json
}

resource "aws_iam_role_policy" "task" {
  name   = "add-exports"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

data "aws_iam_policy_document" "scheduler_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "Run"
    actions   = ["ecs:RunTask"]
    resources = ["${aws_ecs_task_definition.this.arn_without_revision}:*", aws_ecs_task_definition.this.arn_without_revision]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster_arn]
    }
  }

  statement {
    sid       = "Roles"
    actions   = ["iam:PassRole"]
    resources = [var.execution_role_arn, aws_iam_role.task.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [var.key_arn]
  }
}

resource "aws_iam_role" "scheduler" {
  name_prefix        = "${substr(var.name, 0, 20)}-scheduler-"
  assume_role_policy = data.aws_iam_policy_document.scheduler_assume.json
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "run-exports"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
