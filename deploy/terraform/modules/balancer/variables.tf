variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets."
  type        = list(string)
}

variable "domain_name" {
  description = "Name people and clients use."
  type        = string
}

variable "other_names" {
  description = "More names the certificate is for: that of the CDN, or of the place a standby takes over."
  type        = list(string)
}

variable "zone_id" {
  description = "Route 53 zone of the names."
  type        = string
}

variable "routed" {
  description = "Whether the name leads here: to this region while it serves."
  type        = bool
}

variable "log_bucket_name" {
  description = "Bucket that keeps the access log."
  type        = string
}

variable "protected" {
  description = "Refuse to be deleted."
  type        = bool
}

variable "idle_seconds" {
  description = "How long an answer or a stream may be silent. Heartbeats come far more often; what waits for a turn of a conversation, MSIL_CHAT_TURN_SECONDS, has none."
  type        = number
}

variable "web_acl_arn" {
  description = "A web ACL of yours to stand before it; empty: none."
  type        = string
}
