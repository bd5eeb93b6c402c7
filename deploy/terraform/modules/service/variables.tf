variable "name" {
  description = "Prefix of every name; also of the cluster, the service and the log group /ecs/NAME."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "target_group_arn" {
  description = "Where tasks are registered."
  type        = string
}

variable "balancer_security_group_id" {
  description = "The load balancer's group."
  type        = string
}

variable "client_security_group_ids" {
  description = "Groups whose members may connect to the database and the cache."
  type        = list(string)
}

variable "scraper_security_group_ids" {
  description = "Groups of a Prometheus in this VPC, which asks every task by itself."
  type        = list(string)
}

variable "upstream_ports" {
  description = "Ports of the APIs that tools call, beside 443."
  type        = list(number)
}

variable "key_arn" {
  description = "The key of the environment."
  type        = string
}

variable "image" {
  description = "Image to run, with its tag or digest. The pipeline replaces it in later revisions."
  type        = string
}

variable "repository_arns" {
  description = "Repositories that images are pulled from."
  type        = list(string)
}

variable "public_url" {
  description = "MSIL_PUBLIC_URL."
  type        = string
}

variable "database_url" {
  description = "DATABASE_URL, without a password."
  type        = string
}

variable "database_read_url" {
  description = "DATABASE_READ_URL, without a password; empty: none."
  type        = string
}

variable "database_secret_arn" {
  description = "Secret with the database's password."
  type        = string
}

variable "redis_secret_arn" {
  description = "Secret with REDIS_URL."
  type        = string
}

variable "secret_key_arn" {
  description = "Secret with MSIL_SECRET_KEY."
  type        = string
}

variable "metrics_token_arn" {
  description = "Secret with MSIL_METRICS_TOKEN."
  type        = string
}

variable "more_secrets" {
  description = "ARNs of Secrets Manager secrets you made, by the variable they become: OPENAI_API_KEY, credentials of upstreams."
  type        = map(string)
}

variable "more_secret_key_arns" {
  description = "KMS keys those are encrypted with, where it is not the account's own."
  type        = list(string)
}

variable "settings" {
  description = "Settings that are no secrets, by variable."
  type        = map(string)
}

variable "bedrock_model_arns" {
  description = "Models and inference profiles of Bedrock that may be asked; empty: none."
  type        = list(string)
}

variable "cpu" {
  description = "CPU units of a task; 1024 are one."
  type        = number
}

variable "memory" {
  description = "Memory of a task, in MiB."
  type        = number
}

variable "architecture" {
  description = "X86_64 or ARM64, as the image is built."
  type        = string
}

variable "min_tasks" {
  description = "Least tasks; 0 for a standby that does not serve yet."
  type        = number
}

variable "max_tasks" {
  description = "Most tasks."
  type        = number
}

variable "spot" {
  description = "Run on spare capacity, which may go at two minutes' notice."
  type        = bool
}

variable "log_days" {
  description = "Days logs are kept."
  type        = number
}

variable "execute_command" {
  description = "Let people with the permission open a shell in a task."
  type        = bool
}

variable "rollback_alarms" {
  description = "Alarms that undo a deployment."
  type        = list(string)
}

variable "alarm_topic_arn" {
  description = "Who is told."
  type        = string
}
