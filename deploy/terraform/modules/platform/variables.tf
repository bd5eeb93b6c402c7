variable "name" {
  description = "Prefix of every name; the cluster, the service and the log group /ecs/NAME are called so."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,24}$", var.name))
    error_message = "Small letters, digits and hyphens, at most 25: load balancers take no more with what is added."
  }
}

variable "region" {
  description = "The region."
  type        = string
}

variable "zones" {
  description = "Availability zones."
  type        = list(string)
}

variable "cidr" {
  description = "Addresses of the VPC, a /16; regions that shall be joined must not overlap."
  type        = string
}

variable "domain_name" {
  description = "Name people and clients use: https://NAME/mcp."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone of the name."
  type        = string
}

variable "image" {
  description = "Image to run first; the pipeline deploys later ones. Empty: the tag latest of the environment's own repository."
  type        = string
  default     = ""
}

variable "architecture" {
  description = "X86_64 or ARM64."
  type        = string
  default     = "X86_64"
}

variable "settings" {
  description = "Settings that are no secrets, by variable."
  type        = map(string)
  default     = {}

  # Everybody who may look at a task definition reads what is here.
  validation {
    condition = length(setintersection(keys(var.settings), [
      "ANTHROPIC_API_KEY",
      "AZURE_OPENAI_API_KEY",
      "DATABASE_READ_URL",
      "DATABASE_URL",
      "MSIL_API_KEY",
      "MSIL_METRICS_TOKEN",
      "MSIL_OIDC_CLIENT_SECRET",
      "MSIL_SECRET_KEY",
      "OPENAI_API_KEY",
      "REDIS_URL",
    ])) == 0
    error_message = "A secret belongs into more_secrets, and the URLs of database and cache are made here."
  }
}

variable "more_secrets" {
  description = "ARNs of secrets you made, by the variable they become."
  type        = map(string)
  default     = {}
}

variable "more_secret_key_arns" {
  description = "KMS keys those are encrypted with."
  type        = list(string)
  default     = []
}

variable "bedrock_model_arns" {
  description = "Models of Bedrock that may be asked."
  type        = list(string)
  default     = []
}

variable "upstream_ports" {
  description = "Ports of the APIs that tools call, beside 443."
  type        = list(number)
  default     = []
}

variable "scraper_security_group_ids" {
  description = "Groups of a Prometheus in this VPC, which asks every task by itself."
  type        = list(string)
  default     = []
}

variable "tasks" {
  description = "Size and number of tasks."
  type = object({
    cpu    = number
    memory = number
    min    = number
    max    = number
    spot   = optional(bool, false)
  })
}

variable "database" {
  description = "Size and safety of the database."
  type = object({
    instance_class   = string
    storage_gb       = number
    max_storage_gb   = number
    max_connections  = number
    multi_az         = bool
    read_replica     = bool
    backup_days      = number
    password_version = optional(number, 1)
  })
}

variable "cache" {
  description = "Size and number of the cache's nodes."
  type = object({
    node_type = string
    nodes     = number
  })
}

variable "network" {
  description = "How much of the network is doubled."
  type = object({
    nat_per_zone      = bool
    private_endpoints = bool
  })
}

variable "audit" {
  description = "How exports of the audit trail are locked, and when they are made."
  type = object({
    lock_mode      = string
    lock_days      = number
    schedule       = optional(string, "cron(30 0 * * ? *)")
    uploader_image = optional(string, "public.ecr.aws/aws-cli/aws-cli:2.31.0")
  })
}

variable "protected" {
  description = "Refuse to delete what holds data, and the load balancer."
  type        = bool
}

variable "log_days" {
  description = "Days logs are kept."
  type        = number
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = list(string)
}

variable "execute_command" {
  description = "Let people with the permission open a shell in a task."
  type        = bool
  default     = false
}

variable "web_acl_arn" {
  description = "A web ACL of yours before the load balancer."
  type        = string
  default     = ""
}

variable "cdn" {
  description = "CloudFront before the web apps, at a name of its own; null: none."
  type = object({
    domain_name = string
    web_acl_arn = optional(string, "")
  })
  default = null
}

variable "deployer" {
  description = "The GitHub repository and environment whose jobs deploy; null: none."
  type = object({
    repository   = string
    environment  = string
    provider_arn = optional(string, "")
  })
  default = null
}

variable "replica_regions" {
  description = "Regions that get copies of the shared secrets and of images, for a standby."
  type        = list(string)
  default     = []
}

variable "standby" {
  description = "This is a standby of another region: it follows that region's database. null: it stands for itself."
  type = object({
    replicate_from_arn = string
    promoted           = bool
    image              = string
  })
  default = null
}
