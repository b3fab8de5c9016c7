//! The cluster's bus and publisher on Apache Kafka.
