CREATE ROLE partwise LOGIN PASSWORD 'development';
CREATE DATABASE partwise OWNER partwise;
CREATE ROLE partwise_service NOLOGIN;
CREATE ROLE partwise_login LOGIN PASSWORD 'development' IN ROLE partwise_service;
