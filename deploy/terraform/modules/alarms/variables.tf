variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "key_arn" {
  description = "The key that encrypts the topic."
  type        = string
}

variable "emails" {
  description = "Who is told; each confirms once."
  type        = list(string)
}

variable "balancer_suffix" {
  description = "The load balancer in metrics."
  type        = string
}

variable "target_group_suffix" {
  description = "Its target group in metrics."
  type        = string
}

variable "database_identifiers" {
  description = "The database's instances."
  type        = map(string)
}

variable "replica_identifier" {
  description = "The read replica, or an instance that follows another region; empty: none."
  type        = string
}

variable "replica_lag_seconds" {
  description = "Lag from which on somebody is told."
  type        = number
}

variable "max_connections" {
  description = "Connections the database has room for; the alarm is at four fifths."
  type        = number
}

variable "cache_node_ids" {
  description = "The cache's nodes."
  type        = list(string)
}

variable "latency_seconds" {
  description = "P95 of answers from which on somebody is told."
  type        = number
}
