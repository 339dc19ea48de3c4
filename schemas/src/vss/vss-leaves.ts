/*
 * Derived from the COVESA Vehicle Signal Specification (https://github.com/COVESA/vehicle_signal_specification, commit
 * ce67f9276aa360d16b2e9e619d41c96e5d9f19d2, June 2026): names, units and instances of its numeric and boolean leaves.
 * This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a copy of the MPL was not distributed
 * with this file, you can obtain one at https://mozilla.org/MPL/2.0/.
 */
/** Why a table: the catalogue is data, and a campaign or a publisher may name any signal of it. Strings and arrays are not signals here. */

/** Leaves per branch, `name` or `name:unit`, separated by blanks. */
export const VSS_LEAVES: Readonly<Record<string, string>> = {
  'Vehicle.VersionVSS': 'Major Minor Patch',
  'Vehicle.VehicleIdentification': 'Year VehicleSeatingCapacity',
  'Vehicle.LowVoltageBattery': 'NominalVoltage:V NominalCapacity:Ah CurrentVoltage:V CurrentCurrent:A',
  Vehicle:
    'Speed:km/h TraveledDistance:m TraveledDistanceSinceStart:m TripDuration:s TripMeterReading:m IsBrokenDown IsMoving AverageSpeed:km/h RoofLoad:kg CargoVolume:l EmissionsCO2:g/km CurrentOverallWeight:kg CurbWeight:kg GrossWeight:kg MaxTowWeight:kg MaxTowBallWeight:kg Length:mm Height:mm WidthExcludingMirrors:mm WidthIncludingMirrors:mm WidthFoldedMirrors:mm TurningDiameter:mm PowerOptimizeLevel IsAutoPowerOptimize',
  'Vehicle.Acceleration': 'Longitudinal:m/s^2 Lateral:m/s^2 Vertical:m/s^2',
  'Vehicle.AngularVelocity': 'Roll:degrees/s Pitch:degrees/s Yaw:degrees/s',
  'Vehicle.Orientation': 'Roll:degrees Pitch:degrees Yaw:degrees',
  'Vehicle.Trailer': 'IsConnected',
  'Vehicle.CurrentLocation':
    'Latitude:degrees Longitude:degrees Heading:degrees HorizontalAccuracy:m Altitude:m VerticalAccuracy:m',
  'Vehicle.CurrentLocation.GNSSReceiver.MountingPosition': 'X:mm Y:mm Z:mm',
  'Vehicle.Powertrain': 'AccumulatedBrakingEnergy:kWh Range:m TimeRemaining:s PowerOptimizeLevel IsAutoPowerOptimize',
  'Vehicle.Powertrain.CombustionEngine':
    'Displacement:cm^3 StrokeLength:mm Bore:mm NumberOfCylinders NumberOfValvesPerCylinder MaxPower:kW MaxTorque:Nm IsRunning Speed:rpm EngineHours:h IdleHours:h MAP:kPa MAF:g/s TPS:percent EOP:kPa Power:kW Torque:Nm',
  'Vehicle.Powertrain.CombustionEngine.EngineOil': 'Capacity:l LifeRemaining:s Temperature:Celsius',
  'Vehicle.Powertrain.CombustionEngine.EngineCoolant': 'Capacity:l Temperature:Celsius LifeRemaining:s',
  'Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid': 'Capacity:l Level:percent Range:m IsLevelLow',
  'Vehicle.Powertrain.CombustionEngine.DieselParticulateFilter':
    'InletTemperature:Celsius OutletTemperature:Celsius DeltaPressure:Pa',
  'Vehicle.Powertrain.Transmission':
    'GearCount TravelledDistance:km CurrentGear SelectedGear IsParkLockEngaged IsLowRangeEngaged IsElectricalPowertrainEngaged Temperature:Celsius ClutchEngagement:percent ClutchWear:percent DiffLockFrontEngagement:percent DiffLockRearEngagement:percent TorqueDistribution:percent',
  'Vehicle.Powertrain.ElectricMotor':
    'MaxPower:kW MaxTorque:Nm MaxRegenPower:kW MaxRegenTorque:Nm Speed:rpm TimeInUse:h Temperature:Celsius Power:kW Torque:Nm',
  'Vehicle.Powertrain.ElectricMotor.EngineCoolant': 'Capacity:l Temperature:Celsius LifeRemaining:s',
  'Vehicle.Powertrain.TractionBattery':
    'IsPowerConnected IsGroundConnected GrossCapacity:kWh NetCapacity:kWh StateOfHealth:percent NominalVoltage:V MaxVoltage:V CurrentVoltage:V CurrentCurrent:A CurrentPower:W AccumulatedChargedEnergy:kWh AccumulatedConsumedEnergy:kWh AccumulatedChargedThroughput:Ah AccumulatedConsumedThroughput:Ah PowerLoss:W Range:m TimeRemaining:s',
  'Vehicle.Powertrain.TractionBattery.Temperature': 'Average:Celsius Min:Celsius Max:Celsius',
  'Vehicle.Powertrain.TractionBattery.CellVoltage': 'Min:V IdMin Max:V IdMax',
  'Vehicle.Powertrain.TractionBattery.StateOfCharge': 'Current:percent Displayed:percent CurrentEnergy:kWh',
  'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort':
    'IsFlapOpen IsChargingCableConnected IsChargingCableLocked',
  'Vehicle.Powertrain.TractionBattery.Charging':
    'ChargeLimit:percent IsCharging IsDischarging AveragePower:kW MaxPower:kW PowerLoss:W Temperature:Celsius ChargeRate:km/h TimeToComplete:s',
  'Vehicle.Powertrain.TractionBattery.Charging.MaximumChargingCurrent': 'DC:A Phase1:A Phase2:A Phase3:A',
  'Vehicle.Powertrain.TractionBattery.Charging.ChargeCurrent': 'DC:A Phase1:A Phase2:A Phase3:A',
  'Vehicle.Powertrain.TractionBattery.Charging.ChargeVoltage': 'DC:V Phase1:V Phase2:V Phase3:V',
  'Vehicle.Powertrain.TractionBattery.Charging.Location': 'Latitude:degrees Longitude:degrees Altitude:m',
  'Vehicle.Powertrain.TractionBattery.DCDC': 'PowerLoss:W Temperature:Celsius',
  'Vehicle.Powertrain.TractionBattery.BatteryConditioning': 'IsActive IsOngoing TargetTemperature:Celsius',
  'Vehicle.Powertrain.FuelSystem':
    'TankCapacity:l AbsoluteLevel:l RelativeLevel:percent Range:m TimeRemaining:s InstantConsumption:l/100km AverageConsumption:l/100km ConsumptionSinceStart:l ConsumptionSinceLastRefuel:l IsEngineStopStartEnabled IsFuelLevelLow IsFuelLevelEmpty IsFuelPortFlapOpen InstantantFuelEconomy:km/l InstantFuelEconomy:km/l CumulativeFuelEconomy:km/l DriveFuelEconomy:km/l AfterRefuelingFuelEconomy:km/l',
  'Vehicle.Powertrain.RangeExtender.ChargeDepleting': 'EnergyConsumption:kWh/100km Range:m',
  'Vehicle.Powertrain.RangeExtender.ChargeSustaining': 'FuelEconomy:km/l Range:m',
  'Vehicle.Powertrain.RangeExtender': 'CombinedFuelEconomy:km/l',
  'Vehicle.Body.Hood': 'IsOpen Position:percent',
  'Vehicle.Body.Trunk': 'IsLocked IsOpen Position:percent IsLightOn',
  'Vehicle.Body.Horn': 'IsActive',
  'Vehicle.Body.Raindetection': 'Intensity:percent',
  'Vehicle.Body.Windshield.Wiping': 'Intensity WiperWear:percent IsWipersWorn',
  'Vehicle.Body.Windshield.Wiping.System':
    'Frequency:cpm TargetPosition:degrees ActualPosition:degrees DriveCurrent:A IsWiping IsEndingWipeCycle IsWiperError IsPositionReached IsBlocked IsOverheated',
  'Vehicle.Body.Windshield': 'IsHeatingOn',
  'Vehicle.Body.Windshield.WasherFluid': 'IsLevelLow Level:percent',
  'Vehicle.Body.Lights': 'IsHighBeamSwitchOn',
  'Vehicle.Body.Lights.Beam': 'IsOn IsDefect',
  'Vehicle.Body.Lights.Running': 'IsOn IsDefect',
  'Vehicle.Body.Lights.Backup': 'IsOn IsDefect',
  'Vehicle.Body.Lights.Parking': 'IsOn IsDefect',
  'Vehicle.Body.Lights.Fog': 'IsOn IsDefect',
  'Vehicle.Body.Lights.LicensePlate': 'IsOn IsDefect',
  'Vehicle.Body.Lights.Brake': 'IsDefect',
  'Vehicle.Body.Lights.Hazard': 'IsSignaling IsDefect',
  'Vehicle.Body.Lights.DirectionIndicator': 'IsSignaling IsDefect',
  'Vehicle.Body.Mirrors': 'Tilt:percent Pan:percent Yaw:percent IsHeatingOn IsLocked IsFolded',
  'Vehicle.Body': 'RearMainSpoilerPosition:percent PowerOptimizeLevel IsAutoPowerOptimize',
  'Vehicle.Cabin.RearShade': 'IsOpen Position:percent',
  'Vehicle.Cabin.HVAC.Station': 'FanSpeed:percent Temperature:Celsius',
  'Vehicle.Cabin.HVAC':
    'IsRecirculationActive IsFrontDefrosterActive IsRearDefrosterActive IsAirConditioningActive AmbientAirTemperature:Celsius PowerOptimizeLevel IsAutoPowerOptimize',
  'Vehicle.Cabin.Infotainment.Media.Played': 'PlaybackRate',
  'Vehicle.Cabin.Infotainment.Media': 'Volume:percent',
  'Vehicle.Cabin.Infotainment.Navigation.DestinationSet': 'Latitude:degrees Longitude:degrees',
  'Vehicle.Cabin.Infotainment.Navigation': 'Volume:percent',
  'Vehicle.Cabin.Infotainment.Navigation.Map': 'IsAutoScaleModeUsed',
  'Vehicle.Cabin.Infotainment.HMI': 'Brightness:percent IsScreenAlwaysOn DisplayOffDuration:s',
  'Vehicle.Cabin.Infotainment': 'PowerOptimizeLevel IsAutoPowerOptimize',
  'Vehicle.Cabin.Sunroof': 'Position:percent',
  'Vehicle.Cabin.Sunroof.Shade': 'IsOpen Position:percent',
  'Vehicle.Cabin.RearviewMirror': 'DimmingLevel:percent',
  'Vehicle.Cabin.Light': 'IsGloveBoxOn IsDomeOn PerceivedAmbientLight:percent',
  'Vehicle.Cabin.Light.Spotlight': 'IsLightOn Intensity:percent',
  'Vehicle.Cabin.Light.AmbientLight': 'IsLightOn Intensity:percent',
  'Vehicle.Cabin.Light.InteractiveLightBar': 'IsLightOn Intensity:percent',
  'Vehicle.Cabin.Door': 'IsLocked IsOpen Position:percent IsChildLockActive',
  'Vehicle.Cabin.Door.Window': 'IsOpen Position:percent',
  'Vehicle.Cabin.Door.Shade': 'IsOpen Position:percent',
  'Vehicle.Cabin': 'DoorCount IsWindowChildLockEngaged SeatRowCount PowerOptimizeLevel IsAutoPowerOptimize',
  'Vehicle.Cabin.Seat':
    'IsBelted SeatBeltHeight:mm HeatingCooling:percent Position:mm Height:mm Tilt:degrees IsWarmerSwitchEngaged IsCoolerSwitchEngaged IsForwardSwitchEngaged IsBackwardSwitchEngaged IsUpSwitchEngaged IsDownSwitchEngaged IsTiltForwardSwitchEngaged IsTiltBackwardSwitchEngaged IsIncreaseMassageLevelSwitchEngaged IsDecreaseMassageLevelSwitchEngaged',
  'Vehicle.Cabin.Seat.Massage': 'IsAvailable Level:percent',
  'Vehicle.Cabin.Seat.Backrest':
    'HeatingCooling:percent Recline:degrees LumbarSupport:percent TopLumbarSupport:percent MidLumbarSupport:percent BottomLumbarSupport:percent LumbarHeight:mm SideBolsterSupport:percent SideBolsterSupportLeft:percent SideBolsterSupportRight:percent UpperShoulderSupport:percent IsReclineForwardSwitchEngaged IsReclineBackwardSwitchEngaged IsMoreLumbarSupportSwitchEngaged IsLessLumbarSupportSwitchEngaged IsLumbarUpSwitchEngaged IsLumbarDownSwitchEngaged IsMoreSideBolsterSupportSwitchEngaged IsLessSideBolsterSupportSwitchEngaged',
  'Vehicle.Cabin.Seat.Seating':
    'HeatingCooling:percent Length:mm SideBolsterSupportRight:percent SideBolsterSupportLeft:percent IsForwardSwitchEngaged IsBackwardSwitchEngaged',
  'Vehicle.Cabin.Seat.Headrest':
    'Height:mm Angle:degrees IsUpSwitchEngaged IsDownSwitchEngaged IsForwardSwitchEngaged IsBackwardSwitchEngaged',
  'Vehicle.Cabin.Seat.Airbag': 'IsEnabled IsDeployed',
  'Vehicle.Cabin.Seat.NeckScarf': 'HeatingCooling:percent FanSpeed:percent',
  'Vehicle.ADAS.CruiseControl':
    'IsEnabled IsActive SpeedSet:km/h IsError IsAdaptive AdaptiveDistanceSet:m AdaptiveIntervalSet',
  'Vehicle.ADAS.LaneDepartureDetection': 'IsEnabled IsWarning IsError',
  'Vehicle.ADAS.ObstacleDetection': 'IsEnabled IsWarning IsError Distance:m TimeGap:ms',
  'Vehicle.ADAS.ABS': 'IsEnabled IsError IsEngaged',
  'Vehicle.ADAS.TCS': 'IsEnabled IsError IsEngaged',
  'Vehicle.ADAS.ESC': 'IsEnabled IsError IsEngaged IsStrongCrossWindDetected',
  'Vehicle.ADAS.ESC.RoadFriction': 'MostProbable:percent LowerBound:percent UpperBound:percent',
  'Vehicle.ADAS.EBD': 'IsEnabled IsError IsEngaged',
  'Vehicle.ADAS.EBA': 'IsEnabled IsError IsEngaged',
  'Vehicle.ADAS.DMS': 'IsEnabled IsWarning IsError',
  'Vehicle.ADAS': 'PowerOptimizeLevel IsAutoPowerOptimize',
  'Vehicle.Safety': 'IsFire IsSubmersed',
  'Vehicle.Chassis': 'Wheelbase:mm AxleCount',
  'Vehicle.Chassis.Axle':
    'TreadWidth:mm TrackWidth:mm AxleWidth:mm WheelCount WheelDiameter:inch WheelWidth:inch SteeringAngle:degrees TireDiameter:inch TireWidth:mm TireAspectRatio:percent Torque:Nm',
  'Vehicle.Chassis.Axle.Wheel.Brake': 'FluidLevel:percent IsFluidLevelLow PadWear:percent IsBrakesWorn',
  'Vehicle.Chassis.Axle.Wheel.Tire':
    'Pressure:kPa IsPressureLow Temperature:Celsius RubberTemperature:Celsius AirTemperature:Celsius',
  'Vehicle.Chassis.Axle.Wheel': 'Speed:km/h AngularSpeed:degrees/s Torque:Nm',
  'Vehicle.Chassis.ParkingBrake': 'IsEngaged IsAutoApplyEnabled',
  'Vehicle.Chassis.SteeringWheel': 'Angle:degrees Tilt:percent Extension:percent HeatingCooling:percent',
  'Vehicle.Chassis.Accelerator': 'PedalPosition:percent',
  'Vehicle.Chassis.Brake': 'PedalPosition:percent IsDriverEmergencyBrakingDetected',
  'Vehicle.Driver':
    'DistractionLevel:percent IsEyesOnRoad IsHandsOnWheel AttentiveProbability:percent FatigueLevel:percent HeartRate:bpm',
  'Vehicle.Occupant.HeadPosition': 'X:mm Y:mm Z:mm Yaw:degrees Pitch:degrees Roll:degrees',
  'Vehicle.Occupant.MidEyeGaze': 'Azimuth:degrees Elevation:degrees',
  'Vehicle.Exterior':
    'AirTemperature:Celsius Humidity:percent LightIntensity:percent RoadSurfaceCondition RoadSurfaceContaminant RoadObstruction VisibilityCondition VisibilityDistance:m PrecipitationType PrecipitationIntensity:mm/h AirPressure:hPa WindSpeed:m/s WindDirection:degrees',
  'Vehicle.Service': 'IsServiceDue DistanceToService:km TimeToService:s',
  'Vehicle.Connectivity': 'IsConnectivityAvailable',
  'Vehicle.Diagnostics': 'DTCCount',
  'Vehicle.MotionManagement.ElectricAxle':
    'Torque:Nm TorqueTarget:Nm TorqueMaximum:Nm TorqueMinimum:Nm TorqueMaximumLimit:Nm TorqueMinimumLimit:Nm RotationalSpeed:rpm RotationalSpeedTarget:rpm RotationalSpeedMaximumLimit:rpm RotationalSpeedMinimumLimit:rpm',
  'Vehicle.MotionManagement.Brake':
    'VehicleForceMaximum:N VehicleForceElectricMinimumArbitrated:N VehicleForceElectric:N VehicleForceDistributionFrontMaximum:percent VehicleForceDistributionFrontMinimum:percent',
  'Vehicle.MotionManagement.Brake.Axle':
    'TorqueElectricMinimum:Nm TorqueFrictionDifferenceMaximum:Nm TorqueDistributionFrictionRightMaximum:percent TorqueDistributionFrictionRightMinimum:percent',
  'Vehicle.MotionManagement.Brake.Axle.Wheel':
    'Torque:Nm TorqueArbitrated:Nm TorqueFrictionMaximum:Nm TorqueFrictionMinimum:Nm OmegaUpper:rad/s OmegaLower:rad/s',
  'Vehicle.MotionManagement.Steering.SteeringWheel':
    'Angle:degrees AngleTarget:degrees AngleTargetMode TorqueOffsetTarget:Nm TorqueOffsetTargetMode TorqueTarget:Nm TorqueTargetMode Torque:Nm',
  'Vehicle.MotionManagement.Steering.Axle.Row1':
    'PositionTargetMode PositionOffsetTargetMode RackPosition:mm RackPositionTarget:mm RackPositionOffsetTarget:mm SteerAngle:degrees SteerAngleTarget:degrees SteerAngleOffsetTarget:degrees',
  'Vehicle.MotionManagement.Steering.Axle.Row2':
    'SteerAngle:degrees SteerAngleTarget:degrees SteerAngleVelocityTarget:degrees/s',
  'Vehicle.MotionManagement.Suspension':
    'DampingPrioTarget:percent RollTorqueTarget:Nm RollPrioTarget:percent RollTorqueDistributionFrontMaximum:percent RollTorqueDistributionFrontMinimum:percent',
  'Vehicle.MotionManagement.Suspension.Axle': 'RollTorque:Nm',
  'Vehicle.MotionManagement.Suspension.Axle.Wheel':
    'DampingRateTarget:percent DampingRate:percent DampingForceTarget:N DampingForce:N',
  'Vehicle.ControlUnit.Health.Network.CAN': 'IsNetworkOK',
  'Vehicle.ControlUnit.Health.Network.ETH': 'IsNetworkOK',
  'Vehicle.ControlUnit.Health.Resources': 'Power:W Temperature:Celsius',
  'Vehicle.ControlUnit.Health.Resources.Utilization': 'CPU:percent Memory:percent',
  'Vehicle.ControlUnit.Health.SWSupervision':
    'IsAliveTriggered IsDeadlineTriggered IsLogicalTriggered IsWatchdogTriggered',
  'Vehicle.ControlUnit': 'ID',
};

/** Instances of the branches that have some; several lists stand for several levels (`Row1.DriverSide`). */
export const VSS_INSTANCES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'Vehicle.Powertrain.ElectricMotor': [['Front', 'Rear', 'FrontLeft', 'FrontRight', 'RearLeft', 'RearRight']],
  'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort': [
    ['FrontLeft', 'FrontMiddle', 'FrontRight', 'RearLeft', 'RearMiddle', 'RearRight', 'AnyPosition'],
  ],
  'Vehicle.Body.Trunk': [['Front', 'Rear']],
  'Vehicle.Body.Windshield': [['Front', 'Rear']],
  'Vehicle.Body.Lights.Beam': [['Low', 'High']],
  'Vehicle.Body.Lights.Fog': [['Rear', 'Front']],
  'Vehicle.Body.Lights.DirectionIndicator': [['Left', 'Right']],
  'Vehicle.Body.Mirrors': [['DriverSide', 'PassengerSide']],
  'Vehicle.Cabin.HVAC.Station': [
    ['Row1', 'Row2', 'Row3', 'Row4'],
    ['Driver', 'Passenger'],
  ],
  'Vehicle.Cabin.Light.Spotlight': [
    ['Row1', 'Row2', 'Row3', 'Row4'],
    ['DriverSide', 'PassengerSide'],
  ],
  'Vehicle.Cabin.Light.AmbientLight': [
    ['Row1', 'Row2'],
    ['DriverSide', 'PassengerSide'],
  ],
  'Vehicle.Cabin.Door': [
    ['Row1', 'Row2'],
    ['DriverSide', 'PassengerSide'],
  ],
  'Vehicle.Cabin.Seat': [
    ['Row1', 'Row2'],
    ['DriverSide', 'Middle', 'PassengerSide'],
  ],
  'Vehicle.ADAS.ObstacleDetection': [
    ['Front', 'Rear'],
    ['Left', 'Center', 'Right'],
  ],
  'Vehicle.Chassis.Axle': [['Row1', 'Row2']],
  'Vehicle.Chassis.Axle.Wheel': [['Left', 'Right']],
  'Vehicle.Occupant': [
    ['Row1', 'Row2'],
    ['DriverSide', 'Middle', 'PassengerSide'],
  ],
  'Vehicle.MotionManagement.ElectricAxle': [['Row1', 'Row2']],
  'Vehicle.MotionManagement.Brake.Axle': [['Row1', 'Row2']],
  'Vehicle.MotionManagement.Brake.Axle.Wheel': [['Left', 'Right']],
  'Vehicle.MotionManagement.Suspension.Axle': [['Row1', 'Row2']],
  'Vehicle.MotionManagement.Suspension.Axle.Wheel': [['Left', 'Right']],
  'Vehicle.ControlUnit': [['Central', 'FrontLeft', 'FrontRight', 'RearLeft1', 'RearLeft2', 'Trunk']],
};
